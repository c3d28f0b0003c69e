"""A supervisor that kills itself, and the agents whose life goes on meanwhile.

`python -m tests.support.failing_daemon --at use.intent --hit 1 --acknowledged FILE` is the real
daemon; at that stage of the way of a call it ends by SIGKILL, as if the machine's memory had run
out. Every record that it acknowledged before is noted in FILE, one `seq hash` a line.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

import supervisor
from supervisor import daemon
from supervisor.ledger.store import SqliteLedger
from supervisor.ports import Entry
from supervisor.protocol.handshake import _DAEMON_ENV
from tests.support.live import TASKPASS, Install, wait_for

# Deaths that were seen to happen at the stage they were meant for.
deaths: Counter[str] = Counter()


def stages() -> list[str]:
    """Every stage at which the supervisor says that it is there, from its source."""
    root = Path(supervisor.__file__).parent
    found: list[str] = []
    for file in sorted(root.rglob("*.py")):
        found += re.findall(r"\bstep\(\s*\"([a-z._]+)\"", file.read_text())
    return sorted(set(found))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["deaths"] = dict(deaths)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """One of the processes that the tests are spread over has ended."""
    deaths.update(getattr(node, "workeroutput", {}).get("deaths", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if deaths:
        terminalreporter.write_line(f"supervisor killed with -9, {deaths.total()} times:")
        for stage, count in sorted(deaths.items()):
            terminalreporter.write_line(f"  {count:>4}  {stage}")


@dataclass
class FailingDaemon:
    """A running one, started in the place of the install's own."""

    install: Install
    process: subprocess.Popen[bytes]
    notes: Path

    @classmethod
    def start(cls, install: Install, *, at: str = "", hit: int = 1) -> FailingDaemon:
        """Start it and wait until it serves. It dies `at` that stage, the `hit`-th time."""
        notes = install.root / "acknowledged"
        ready, told = os.pipe()
        known = (*_DAEMON_ENV, "PYTHONPATH")
        with open(install.paths.state / "daemon.log", "ab") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "tests.support.failing_daemon", "--at", at,
                    "--hit", str(hit), "--acknowledged", str(notes),
                    "--ready-fd", str(told),
                ],
                env={name: install.environ[name] for name in known if name in install.environ},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(told,),
                start_new_session=True,
            )  # fmt: skip
        os.close(told)
        with os.fdopen(ready) as words:
            assert words.readline() == "ready\n"
        return cls(install, process, notes)

    def wait(self) -> None:
        """Until it has died by signal 9."""
        assert self.process.wait(60) == -signal.SIGKILL

    def kill(self) -> None:
        """Now, whatever it does."""
        self.process.kill()
        self.wait()

    @property
    def acknowledged(self) -> set[tuple[int, str]]:
        """(seq, hash) of every record it promised to keep."""
        lines = self.notes.read_text().splitlines()
        return {(int(seq), digest) for seq, digest in (line.split() for line in lines)}


# ── Agents ──────────────────────────────────────────────────────────────────────────────

# Runs each line of its input. Nothing announces the calls: they belong to the process.
_PLAIN = """\
echo READY
while IFS= read -r line; do
  eval "$line"
  printf '\\nEND %s\\n' "$?"
done
"""

# Announces each line of its input as Claude Code does: its root process posts the hook, and the
# answer's command is what runs. A hook that is not answered blocks the call. "@a1 true" is a line
# of its subagent a1, "!true" one that it announces to nobody.
_HOOKED = r"""#!/bin/bash
settings=$(<"$2")
url=${settings#*\"url\": \"http://}
url=${url%%\"*}
address=${url%%/*}
folder=/${url#*/}
folder=${folder%/*}

post() {  # event, number, tool input as JSON → $answer
  local body line length=0
  body="{\"hook_event_name\":\"$1\",\"session_id\":\"s\",\"cwd\":\"$PWD\","
  body+="$who\"tool_use_id\":\"toolu_$2\",\"tool_name\":\"Bash\",\"tool_input\":$3}"
  answer=
  exec 8<>"/dev/tcp/${address%:*}/${address#*:}" || return 1
  printf '%s\r\n' "POST $folder/$1 HTTP/1.1" 'Host: hooks' "Content-Length: ${#body}" '' >&8
  printf '%s' "$body" >&8
  while IFS= read -r line <&8 && line=${line%$'\r'} && [ -n "$line" ]; do
    [[ ${line,,} == content-length:* ]] && length=${line#*: }
  done
  LC_ALL=C IFS= read -r -N "$length" answer <&8
  exec 8>&-
  [ -n "$answer" ]
}

number=0
echo READY
while IFS= read -r line; do
  if [[ $line == !* ]]; then
    /bin/bash -c "${line#!}"
    printf '\nEND %s\n' "$?"
    continue
  fi
  number=$((number + 1))
  who=
  if [[ $line == @* ]]; then
    who=${line%% *}
    who="\"agent_id\":\"${who#@}\",\"agent_type\":\"explore\","
    line=${line#* }
  fi
  escaped=${line//\\/\\\\}
  escaped=${escaped//\"/\\\"}
  if ! post PreToolUse "$$-$number" "{\"command\":\"$escaped\"}"; then
    printf '\nEND unanswered\n'
  elif [[ $answer != *'"permissionDecision": "allow"'* ]]; then
    printf '\n%s\nEND denied\n' "$answer"
  else
    command=${answer#*\"updatedInput\": \{\"command\": \"}
    command=${command%\"\}\}\}}
    command=${command//\\\"/\\x22}
    printf -v command '%b' "$command"
    /bin/bash -c "$command"
    status=$?
    post PostToolUse "$$-$number" "{\"command\":\"$escaped\"}"
    printf '\nEND %s\n' "$status"
  fi
done
"""


@dataclass
class Agent:
    """One of the two under `taskpass run --headless`; a test types its tool calls."""

    run: subprocess.Popen[str]
    marker: str
    output: list[str] = field(default_factory=list)
    _more: threading.Condition = field(default_factory=threading.Condition)

    @classmethod
    def start(cls, install: Install, kind: str, *, ready: bool = True) -> Agent:
        """`kind`: "hooked" announces its calls, "plain" does not. `ready`: wait until it is."""
        if kind == "hooked":
            program = install.home / ".local/share/claude/versions/2.1.330"
            program.parent.mkdir(parents=True, exist_ok=True)
            program.write_text(_HOOKED)
            program.chmod(0o755)
            argv = [str(program)]
        else:
            argv = ["/bin/bash", "-c", f": {install.root}\n{_PLAIN}"]
        run = subprocess.Popen(
            [*TASKPASS, "run", "--headless", "--", *argv],
            cwd=install.project,
            env=install.environ,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        agent = cls(run, marker=argv[0] if kind == "hooked" else f": {install.root}\n")
        assert run.stdout is not None
        threading.Thread(target=agent._follow, args=(run.stdout,), daemon=True).start()
        if ready:
            agent.expect(1, "READY")
        return agent

    def _follow(self, stream: IO[str]) -> None:
        for line in stream:
            with self._more:
                self.output.append(line.rstrip("\n"))
                self._more.notify_all()

    def type(self, command: str) -> None:
        """Let it make this tool call."""
        assert self.run.stdin is not None
        self.run.stdin.write(command + "\n")
        self.run.stdin.flush()

    def leave(self) -> None:
        """No more calls: it ends by itself."""
        assert self.run.stdin is not None
        self.run.stdin.close()

    def expect(self, count: int, beginning: str = "END") -> str:
        """The rest of the `count`-th line that begins so."""
        with self._more:
            found: list[str] = []

            def enough() -> bool:
                found[:] = [line for line in self.output if line.startswith(beginning)]
                return len(found) >= count

            assert self._more.wait_for(enough, 30), f"no {beginning} in {self.output}"
            return found[count - 1].removeprefix(beginning).strip()

    @property
    def said(self) -> str:
        return "\n".join(self.output)

    def pids(self) -> list[int]:
        """Its root process as this machine sees it; empty when it is gone."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            program = [word.decode(errors="replace") for word in words[:3]]
            mine = any(word.startswith(self.marker) for word in program)
            if mine and program[0].endswith("bash") and state != "Z":
                found.append(int(folder.name))
        return found

    def gone(self) -> None:
        """Wait for its end."""
        wait_for(lambda: not self.pids(), "the agent to be killed")


# ── The daemon itself ───────────────────────────────────────────────────────────────────


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--at", default="")
    parser.add_argument("--hit", type=int, default=1)
    parser.add_argument("--acknowledged", required=True)
    parser.add_argument("--ready-fd", default="-1")
    options = parser.parse_args()
    notes = os.open(options.acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    plain_append = SqliteLedger._append

    async def append(
        self: SqliteLedger, kind: str, body: Mapping[str, Any], *, reserved: bool
    ) -> Entry:
        entry = await plain_append(self, kind, body, reserved=reserved)
        os.write(notes, f"{entry.seq} {entry.hash.hex()}\n".encode())
        return entry

    SqliteLedger._append = append  # type: ignore[method-assign]
    left = options.hit

    def step(name: str) -> None:
        nonlocal left
        if name == options.at:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return daemon.main(["--ready-fd", options.ready_fd], step)


if __name__ == "__main__":
    sys.exit(main())
