"""An agent asks for the person's clipboard (OSC 52): the question, and the answer."""

from __future__ import annotations

from supervisor.protocol.wire import Wire


class ClipboardAsked(Wire, frozen=True, kw_only=True, tag="clipboard_asked"):
    """Holder → screen. `text` is the agent's, as it sent it; a newer question replaces this one."""

    number: int
    text: str


class ClipboardClosed(Wire, frozen=True, kw_only=True, tag="clipboard_closed"):
    """Holder → screen: a person has answered question `number`, at any screen."""

    number: int


class AnswerClipboard(Wire, frozen=True, kw_only=True, tag="answer_clipboard"):
    """Screen → holder: the person's answer. Who allows it has taken the text himself."""

    number: int
    allow: bool
