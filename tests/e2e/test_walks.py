"""The main story from end to end in tmux: with the keyboard alone, and with the mouse alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.support.live import PATIENCE, TASKPASS, Install, wait_for
from tests.support.scripted_agent import ScriptedAgent, interpreter_mount, programs
from tests.support.tmux_window import TmuxWindow

LEADER = b"\x1c"
COMMAND = "npm install left-pad@1.3.0"


@dataclass(frozen=True)
class Way:
    """How each thing of the story is done: bytes that are typed, or words that are clicked."""

    steps: dict[str, bytes | str]

    def do(self, window: TmuxWindow, step: str) -> None:
        how = self.steps[step]
        if isinstance(how, bytes):
            window.send(how)
        else:
            window.click(how)


KEYBOARD = Way(
    {
        "new task": LEADER + b"n",
        "start it": b"\r",
        "answer": LEADER + b"a",
        "approve once": b"O",
        "revoke": LEADER + b"x",
        "leave the list": b"\x1b",
        "history": LEADER + b"h",
        "export": b"e",
        "write": b"\r",
    }
)
MOUSE = Way(
    {
        "new task": "n new",
        "start it": "enter start",
        "answer": "a answer",
        "approve once": "O once",
        "revoke": "x revoke",
        "leave the list": "esc back",
        "history": "h history",
        "export": "e export",
        "write": "enter write",
    }
)


@pytest.fixture
def window(install: Install) -> Iterator[TmuxWindow]:
    folder = programs(install, "work")
    environ = install.environ | interpreter_mount()
    environ["PATH"] = f"{folder}:{environ['PATH']}"
    with TmuxWindow(TASKPASS, cwd=folder, environ=environ, cols=160, rows=48) as opened:
        yield opened


@pytest.fixture
def joins(install: Install) -> Iterator[Callable[[], ScriptedAgent]]:
    """The next agent that somebody starts in the project."""
    folder = programs(install, "work")
    agents: list[ScriptedAgent] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control"))
        listener.listen()
        listener.settimeout(PATIENCE)

        def joined() -> ScriptedAgent:
            control, _ = listener.accept()
            control.settimeout(2 * PATIENCE)
            agents.append(ScriptedAgent(install, None, folder, control))
            return agents[-1]

        yield joined
        for agent in agents:
            agent.hang_up()


@pytest.mark.parametrize("way", [KEYBOARD, MOUSE], ids=["keyboard", "mouse"])
def test_the_main_story(
    way: Way, install: Install, window: TmuxWindow, joins: Callable[[], ScriptedAgent]
) -> None:
    window.shows("No task runs")
    agents = []
    for number in (1, 2):
        way.do(window, "new task")
        window.shows("Agent or command")
        way.do(window, "start it")
        agents.append(joins())
        window.shows(rf"{number} claude-code · ◐ waiting for you")

    call = agents[0].begin_soon(COMMAND)
    window.shows("wants +npm install")
    way.do(window, "answer")
    window.shows("armed")
    way.do(window, "approve once")
    assert agents[0].begun(*call).allowed
    (answered,) = install.records("approval.answered")
    assert answered["answer"] == "approved"

    window.shows("▸2")
    way.do(window, "revoke")
    window.shows("refused in")
    way.do(window, "leave the list")
    window.shows("✕ revoked")
    (revoked,) = install.records("task.revoked")
    assert revoked["task"] == install.records("task.started")[1]["task"]

    way.do(window, "history")
    window.shows("chain ok")
    window.shows("left-pad")
    way.do(window, "export")
    window.shows("is a report")
    way.do(window, "write")
    reports = wait_for(lambda: list(install.home.glob("taskpass-*.md")), "the report")
    wait_for(lambda: "left-pad" in reports[0].read_text(), "what was asked in the report")
    assert not os.access(reports[0], os.X_OK)
