"""All that a screen and a holder say to each other about one pane."""

from __future__ import annotations

from functools import cache

import msgspec

from supervisor.protocol import clipboard, holder_wire, reading

FromPane = (
    holder_wire.Screen | holder_wire.Exited
    | reading.Answer | clipboard.ClipboardAsked | clipboard.ClipboardClosed
)  # fmt: skip
ToPane = holder_wire.ToHolder | reading.Request | clipboard.AnswerClipboard


@cache
def to_pane() -> msgspec.msgpack.Decoder[ToPane]:
    """Reads what a screen sends."""
    return msgspec.msgpack.Decoder(ToPane)


@cache
def from_pane() -> msgspec.msgpack.Decoder[holder_wire.FromHolder | FromPane]:
    """Reads what a holder sends to a screen."""
    return msgspec.msgpack.Decoder(holder_wire.FromHolder | FromPane)
