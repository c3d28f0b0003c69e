"""An agent that does what a test says, run by `taskpass run` as if it were Claude Code."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.live import PATIENCE, Install, wait_for

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Begun:
    """A call that was announced; it runs when it was allowed."""

    id: str
    command: str
    allowed: bool
    reason: str
    rewritten: str = ""
    pid: int = 0  # as the agent sees it

    @property
    def handle(self) -> str:
        """The call's handle, as the rewritten command carries it."""
        first, _, _ = self.rewritten.partition("\n")
        if first.startswith(". "):  # in a container it is given to a file
            return shlex.split(first)[2]
        return first.split("TASKPASS-BIND %s\\n' ")[1].split()[0].strip("'")


@dataclass
class ScriptedAgent:
    """The running agent, seen from the test. Use `running`."""

    install: Install
    process: subprocess.Popen[str] | None  # `taskpass run`, where it is ours
    folder: Path  # where it runs
    _control: socket.socket
    _answers: Any = field(init=False)
    _early: dict[int, dict[str, Any]] = field(default_factory=dict)
    _orders: Iterator[int] = field(default_factory=count)
    _calls: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._answers = self._control.makefile()

    def _send(self, do: str, **arguments: Any) -> int:
        order = next(self._orders)
        line = json.dumps({"order": order, "do": do, "with": arguments})
        self._control.sendall(line.encode() + b"\n")
        return order

    def _answer(self, order: int) -> Any:
        while order not in self._early:
            line = self._answers.readline()
            assert line, "the agent is gone"
            answer = json.loads(line)
            self._early[answer["order"]] = answer
        answer = self._early.pop(order)
        assert "done" in answer, answer.get("failed")
        return answer["done"]

    def hook_url(self, event: str) -> str:
        """Where the agent posts this event, token included."""
        return str(self._answer(self._send("url", event=event)))

    def announce(self, command: str) -> Begun:
        """Announce a call, and do not run it."""
        call = f"call-{next(self._calls)}"
        answer = self._answer(self._send("announce", call=call, command=command))
        return Begun(call, command, answer["allowed"], answer["reason"], answer["command"])

    def begin(self, command: str) -> Begun:
        """Announce a call and start it if it is allowed."""
        return self.begun(*self.begin_soon(command))

    def begin_soon(self, command: str) -> tuple[str, str, int]:
        """As `begin`, without waiting for the answer; `begun` does."""
        call = f"call-{next(self._calls)}"
        return call, command, self._send("begin", call=call, command=command)

    def begun(self, call: str, command: str, order: int) -> Begun:
        answer = self._answer(order)
        return Begun(
            call, command, answer["allowed"], answer["reason"], answer["command"],
            answer.get("pid", 0),
        )  # fmt: skip

    def start(self, *argv: str) -> Begun:
        """A child of the agent that no call announces, as an MCP server is."""
        call = f"call-{next(self._calls)}"
        pid = self._answer(self._send("start", call=call, argv=argv))["pid"]
        return Begun(call, "", True, "", pid=pid)

    def start_announced(self, announced: Begun, command: str = "") -> Begun:
        """Run what `announce` was told it may, or something else in its place."""
        pid = self._answer(
            self._send(
                "start", call=announced.id, argv=["/bin/bash", "-c", command or announced.rewritten]
            )
        )["pid"]
        return Begun(announced.id, announced.command, True, "", announced.rewritten, pid)

    def finish(self, begun: Begun) -> tuple[int, str]:
        """Wait for a call's end and report it as the agent does: exit code and output."""
        assert begun.allowed, begun.reason
        done = self._answer(self._send("finish", call=begun.id, command=begun.command))
        return done["code"], done["output"]

    def run(self, command: str) -> str:
        """A whole call; what it printed."""
        return self.finish(self.begin(command))[1]

    def output(self, begun: Begun) -> str:
        """What a running call has printed so far."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / f"output-{begun.id}").read_text()
        return ""

    def say(self, name: str) -> None:
        """Make the file that something waits for."""
        (self.folder / name).touch()

    def heard(self, name: str) -> None:
        """Wait until that file is there."""
        wait_for((self.folder / name).exists, f"{name} in {self.folder}")

    @property
    def task(self) -> str:
        """The newest task's id."""
        return str(self.install.records("task.started")[-1]["task"])

    def hang_up(self) -> None:
        """The agent ends."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._control.close()


def _program(source: str, target: Path) -> None:
    interpreter = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    target.write_text(f"#!{interpreter} -I\n{(_HERE / source).read_text()}")
    target.chmod(0o755)


def programs(install: Install, name: str) -> Path:
    """A folder with the agent and a thief to run below it."""
    folder = install.project / name
    folder.mkdir(exist_ok=True)  # a project that is there, perhaps from an earlier task
    _program("scripted_agent_inside.py", folder / "claude")
    _program("thief_inside.py", folder / "thief")
    return folder


def interpreter_mount() -> dict[str, str]:
    """Environment that makes the interpreter visible in the container, by what a profile mounts."""
    inside = sys.base_prefix.startswith(("/usr", "/opt"))
    return {} if inside else {"CLAUDE_CONFIG_DIR": sys.base_prefix}


@contextlib.contextmanager
def running(install: Install, *options: str, name: str = "work") -> Iterator[ScriptedAgent]:
    """A scripted agent in a folder of its own, as one task. `options` are of `taskpass run`."""
    folder = programs(install, name)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control"))
        listener.listen()
        listener.settimeout(PATIENCE)
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.cli.main", "run", "--headless",
             *options, "--", str(folder / "claude")],
            cwd=folder, env=install.environ | interpreter_mount(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            control, _ = listener.accept()
        except TimeoutError:
            process.kill()
            raise AssertionError(process.communicate()[0]) from None
    control.settimeout(2 * PATIENCE)
    agent = ScriptedAgent(install, process, folder, control)
    try:
        yield agent
    finally:
        agent.hang_up()
        # Its children may hold the output open: nobody waits for them here.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        if process.poll() is None:
            process.kill()
            process.wait()
