"""A tool cannot speak for the agent, a task not for the person, a stranger not for the supervisor.

Each attempt is refused, changes nothing, and is on record.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from supervisor.model import ApprovalRequest
from tests.support.agents import RealAgent
from tests.support.live import TASKPASS, Install, Person, pending, until, wait_for
from tests.support.scripted_agent import ScriptedAgent, interpreter_mount, programs, running
from tests.support.scripted_model import ScriptedModel
from tests.support.supervised import supervise
from tests.support.terminal import Terminal

PUSH = "git push origin agent/work"  # asks
_URL = re.compile(rb"http://127\.0\.0\.1:\d+/[\w-]+/PreToolUse")
FORGED_COMMAND = "echo forged"


@pytest.fixture(params=["A", "B", "uncontained"])
def agent(request: pytest.FixtureRequest, install: Install) -> Iterator[ScriptedAgent]:
    """Plays Claude Code, in each tier and without containment."""
    install.configure(f'[containment]\ntier = "{request.param}"\n')
    with running(install) as started:
        assert [task["tier"] for task in install.records("task.started")] == [request.param]
        yield started


@pytest.fixture
def contained(install: Install) -> Iterator[ScriptedAgent]:
    with running(install) as started:
        yield started


@pytest.fixture
def uncontained(install: Install) -> Iterator[ScriptedAgent]:
    with running(install, "--contain", "off") as started:
        yield started


# ── hooks ───────────────────────────────────────────────────────────────────────────────


def post(agent: ScriptedAgent, event: str = "PreToolUse") -> str:
    """A thief's words that post a hook where, and as, the agent does."""
    return f"post {agent.hook_url(event)} {event} '{FORGED_COMMAND}'"


def assert_forgery_refused(install: Install, output: str, times: int = 1) -> None:
    assert output.count("post: 403") == times, output
    assert '"allow"' not in output, output
    assert len(install.records("incident.forged_hook")) == times
    opened = install.records("call.opened")
    assert [
        r for r in opened if FORGED_COMMAND in r["preview"] and "./thief" not in r["preview"]
    ] == []


def test_a_tool_posts_with_the_right_token(agent: ScriptedAgent, install: Install) -> None:
    output = agent.run(f"./thief {post(agent)}") + agent.run(f"exec ./thief {post(agent)}")
    assert_forgery_refused(install, output, times=2)


def test_a_tool_posts_with_a_wrong_token(agent: ScriptedAgent, install: Install) -> None:
    url = agent.hook_url("PreToolUse").rsplit("/", 2)[0]
    output = agent.run(f"./thief post {url}/{'x' * 32}/PreToolUse PreToolUse '{FORGED_COMMAND}'")
    assert_forgery_refused(install, output)


def test_an_orphan_posts(agent: ScriptedAgent, install: Install) -> None:
    left = agent.begin(f"./thief orphan now {post(agent)}")
    agent.finish(left)
    agent.say("now")
    wait_for(lambda: "post:" in agent.output(left), "the orphan's attempt")
    assert_forgery_refused(install, agent.output(left))


def test_a_child_of_the_agent_posts(agent: ScriptedAgent, install: Install) -> None:
    """As an MCP server could."""
    url = agent.hook_url("PreToolUse")
    server = agent.start("./thief", "post", url, "PreToolUse", FORGED_COMMAND)
    assert_forgery_refused(install, agent.finish(server)[1])


@pytest.mark.parametrize("event", ["PostToolUse", "Stop", "SessionEnd"])
def test_a_tool_cannot_end_another_call(
    contained: ScriptedAgent, install: Install, event: str
) -> None:
    live = contained.announce("echo one")  # not running yet, so a report would end it
    assert_forgery_refused(install, contained.run(f"./thief {post(contained, event)}"))
    assert [r for r in install.records("call.settled") if r["outcome"] != "exited"] == []
    contained.start_announced(live)
    assert contained.finish(live) == (0, "one\n")


async def test_a_tool_of_codex_runs_its_hook_script(
    codex: RealAgent, install: Install, scripted_model: ScriptedModel
) -> None:
    """Codex announces by a command, a child of its own as tools are: which one it is tells."""
    supervised = supervise(codex, install, scripted_model)
    forged = {
        "hook_event_name": "PreToolUse",
        "session_id": "forged",
        "turn_id": "forged",
        "cwd": str(install.project),
        "tool_name": "Bash",
        "tool_use_id": "forged",
        "tool_input": {"command": FORGED_COMMAND},
    }
    (install.project / "name").write_text("./forge")
    (install.project / "forged.json").write_text(json.dumps(forged))
    waiting = "until test -e go; do sleep 0.05; done"
    forge = 'sh "$(cat name)"'  # policy would follow a script that it is told, and refuse
    process = await supervised.start(
        supervised.shell(f"{waiting}; exec {forge}"), supervised.shell(forge)
    )
    script = await until(lambda: _below_tasks(install, "codex-hook.sh"), "the hook's script")
    url = await until(lambda: _hook_url(script.parent), "the hook's address")
    (install.project / "forge").write_text(f"exec sh {script} {url} 10 < forged.json\n")
    (install.project / "go").touch()
    output, _ = await process.communicate()
    results = list(scripted_model.last.results.values())
    assert len(results) == 2, output
    assert not any('permissionDecision":"allow' in result for result in results)
    forgeries = await asyncio.to_thread(install.records, "incident.forged_hook")
    assert len(forgeries) == 2, results
    opened = await asyncio.to_thread(install.records, "call.opened")
    assert len(opened) == 2, "the two that Codex announced itself"


def _below_tasks(install: Install, name: str) -> Path | None:
    return next((install.paths.runtime / "tasks").glob(f"*/agent/**/{name}"), None)


def _hook_url(folder: Path) -> str:
    for file in folder.rglob("*"):
        if file.is_file() and (found := _URL.search(file.read_bytes())):
            return found[0].decode()
    return ""


# ── approvals ───────────────────────────────────────────────────────────────────────────


@contextmanager
def asking(agent: ScriptedAgent) -> Iterator[ApprovalRequest]:
    """A call that waits for a person. It is denied in the end, and was not answered before."""
    install = agent.install
    call = agent.begin_soon(PUSH)
    (request,) = wait_for(lambda: pending(install), "the question")
    yield request
    assert [r.id for r in pending(install)] == [request.id]
    assert install.records("approval.answered") == []
    with Person(install) as person:
        person.answers("git push", approve=False)
        assert not agent.begun(*call).allowed


def attempt(agent: ScriptedAgent, *words: str, how: str = "./thief", verb: str = "api:") -> str:
    """A thief is told in a file what to do, so that only what it does can give it away."""
    file = agent.folder / f"told-{len(list(agent.folder.glob('told-*')))}"
    file.write_text(json.dumps(words))
    call = agent.begin(f"{how} told {file.name}")
    agent.finish(call)
    wait_for(lambda: verb in agent.output(call), "the attempt")
    return agent.output(call)


def answer(path: Path, request: ApprovalRequest) -> tuple[str, ...]:
    body = json.dumps({"approve": True, "code": request.code})
    return ("api", str(path), "POST", f"/v1/approvals/{request.id}", body)


def test_a_contained_task_has_no_socket_to_ask(contained: ScriptedAgent, install: Install) -> None:
    sockets = [install.paths.socket, *(install.paths.runtime / "tasks").glob("*/holder.sock")]
    assert len(sockets) == 2
    with asking(contained) as request:
        for path in sockets:
            assert attempt(contained, *answer(path, request)) == "api: ENOENT\n"
        named = contained.begin(f"./thief api {sockets[0]} GET /v1/snapshot")
        assert not named.allowed
        (denied,) = install.records("call.denied")
        assert denied["policies"] == ["standard/deny.ours"]


@pytest.mark.parametrize("how", ["./thief", "exec ./thief", "./thief orphan now"])
def test_an_uncontained_task_is_turned_away(
    uncontained: ScriptedAgent, install: Install, how: str
) -> None:
    path = str(install.paths.socket)
    uncontained.say("now")
    with asking(uncontained) as request:
        attempts = (
            answer(install.paths.socket, request),
            ("api", path, "POST", "/v1/pair"),
            ("api", path, "GET", "/v1/snapshot"),
            ("api", path, "POST", "/v1/stop"),
        )
        for words in attempts:
            output = attempt(uncontained, *words, how=how)
            assert "api: HTTP/1.1 403" in output, output
            assert "A task may not talk to the supervisor" in output
        incidents = install.records("incident.api_from_task")
        asked = [r["detail"]["request"] for r in incidents]
        assert asked == [f"{words[2]} {words[3]}" for words in attempts]
        assert {r["task"] for r in incidents} == {uncontained.task}


def test_only_a_paired_screen_answers(contained: ScriptedAgent, install: Install) -> None:
    """Outside every task, but without a terminal, and without a screen's token."""
    with asking(contained) as request:
        path = install.paths.socket
        assert "Only a program with a terminal" in _http(path, "/v1/pair", b"")
        body = json.dumps({"approve": True, "code": request.code}).encode()
        assert "Only a paired screen may answer" in _http(path, f"/v1/approvals/{request.id}", body)
        (incident,) = install.records("incident.answer_refused")
        assert incident["detail"]["approval"] == request.id


def _http(path: Path, target: str, body: bytes) -> str:
    """One request from a process without a terminal, outside every task."""
    code = (
        "import socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
        "s.sendall(sys.stdin.buffer.read())\n"
        "print(s.makefile().read())\n"
    )
    head = f"POST {target} HTTP/1.1\r\nhost: s\r\nconnection: close\r\n"
    request = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        input=request, capture_output=True, timeout=30, start_new_session=True, check=True,
    )  # fmt: skip
    return done.stdout.decode()


def test_the_approve_command_inside_a_task(uncontained: ScriptedAgent, install: Install) -> None:
    """By input, and with a terminal of its own and the marker of a task taken away."""
    environ = [f"{name}={value}" for name, value in install.environ.items()]
    approve = ["env", "-u", "TASKPASS_TASK", *environ,
               sys.executable, "-m", "supervisor.cli.main", "approvals", "approve"]  # fmt: skip
    with asking(uncontained):
        refused = uncontained.begin("taskpass approvals approve")
        assert not refused.allowed
        piped = attempt(uncontained, "program", *approve, verb="program:")
        assert "program: 2 " in piped, piped
        typed = attempt(uncontained, "typed", "y", *approve, verb="typed:")
        assert "A task may not talk to the supervisor" in typed, typed
        assert install.records("incident.api_from_task")


async def test_what_a_tool_writes_into_the_pane_answers_nothing(install: Install) -> None:
    """The dock is open and takes keys: only those of the person's keyboard."""
    folder = programs(install, "work")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "control"))
        listener.listen()
        terminal = Terminal(
            [*TASKPASS, "run", "--", str(folder / "claude")],
            cwd=folder,
            environ=install.environ | interpreter_mount(),
            cols=100,
            rows=36,
        )
        async with terminal:
            control, _ = await asyncio.to_thread(listener.accept)
            agent = ScriptedAgent(install, None, folder, control)
            waiting = agent.begin_soon(PUSH)
            await terminal.shows("▲1")
            terminal.press("ctrl+backslash", "a")
            await terminal.shows("armed ·")
            assert await asyncio.to_thread(agent.run, "./thief pane") == "pane: EPERM\n"
            assert await asyncio.to_thread(install.records, "approval.answered") == []
            terminal.press("O")
            await terminal.shows("approved: git push")
            assert (await asyncio.to_thread(agent.begun, *waiting)).allowed
            agent.hang_up()


@contextmanager
def a_person_in_tmux(install: Install, command: str) -> Iterator[Path]:
    """A tmux server of the person's, with a terminal in it; where it has no tmux, its socket."""
    path = install.root / "tmux.sock"
    tmux = shutil.which("tmux")
    if tmux is None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            yield path
        return
    subprocess.run(
        [tmux, "-f", os.devnull, "-S", str(path), "new-session", "-d", "-x", "100", "-y", "30",
         command],
        env=install.environ, cwd=install.project, check=True,
    )  # fmt: skip
    try:
        yield path
    finally:
        subprocess.run([tmux, "-S", str(path), "kill-server"], check=False, capture_output=True)


def test_keys_sent_to_the_persons_terminal(contained: ScriptedAgent, install: Install) -> None:
    """The person's `taskpass approvals approve` waits in tmux for a code that is on its screen."""
    approve = f"{sys.executable} -m supervisor.cli.main approvals approve"
    with asking(contained), a_person_in_tmux(install, approve) as path:
        refused = contained.begin(f"tmux -S {path} send-keys y Enter")
        assert not refused.allowed
        assert "type into other terminals" in refused.reason
        (denied,) = install.records("call.denied")
        assert denied["policies"] == ["standard/deny.terminal"]
        assert attempt(contained, "api", str(path), "GET", "/") == "api: ENOENT\n"
        if tmux := shutil.which("tmux"):
            keys = ("program", tmux, "-S", str(path), "send-keys", "y", "Enter")
            assert "program: 1 " in attempt(contained, *keys, verb="program:")


# ── the supervisor ──────────────────────────────────────────────────────────────────────


class Impostor:
    """Listens in the supervisor's place, and answers as it does but for what it cannot know."""

    def __init__(self, path: Path) -> None:
        self.heard = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Impostor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        hello: dict[str, Any] = {
            "protocol": 1, "version": "0.1.0", "pid": os.getpid(), "session": "s-1",
            "proof": "0" * 64,
        }  # fmt: skip
        body = json.dumps(hello).encode()
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with client:
                    client.settimeout(10)
                    while chunk := client.recv(65536):
                        self.heard += chunk
                        client.sendall(
                            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                            b"content-length: %d\r\n\r\n%s" % (len(body), body)
                        )


@pytest.mark.parametrize(
    "words",
    [
        ("history",),
        ("run", "--headless", "--", "echo", "ran"),
        ("credential", "add", "api", "--host", "h", "--env", "T"),
        ("revoke", "--all"),
    ],
    ids=lambda words: words[0],
)
def test_a_false_supervisor_is_found_out(install: Install, words: tuple[str, ...]) -> None:
    install.cli("history")
    install.cli("stop")
    wait_for(lambda: not install.daemon_pid(), "the supervisor to end")
    with Impostor(install.paths.socket) as impostor:
        done = install.cli(*words, stdin="the-secret\n")
    said = (done.stdout + done.stderr).strip()
    assert done.returncode == 125 or done.returncode == 1, said
    assert "is not your supervisor" in said
    assert "Traceback" not in said
    assert "ran" not in done.stdout
    # It was told nothing but a nonce.
    assert impostor.heard.startswith(b"GET /v1/hello?nonce=")
    assert impostor.heard.count(b"HTTP/1.1") == 1
    assert b"the-secret" not in impostor.heard
    install.paths.socket.unlink()
    wait_for(lambda: install.records("incident.fake_daemon"), "the incident to be recorded")
    (incident,) = install.records("incident.fake_daemon")
    assert incident["detail"] == "wrong proof"
    assert list(install.paths.incidents.iterdir()) == []


def test_a_note_that_is_none_does_no_harm(install: Install) -> None:
    """Without containment a task could write into the folder where clients leave theirs."""
    install.cli("history")
    daemon = install.daemon_pid()
    for number, note in enumerate(("{", "[]", "{}", '{"kind": 7}', "x" * 100_000)):
        (install.paths.incidents / f"{number}.json").write_text(note)
    (install.paths.incidents / "9.json").write_text(
        json.dumps({"kind": "fake_daemon", "time": 1.0, "detail": "seen"})
    )
    wait_for(lambda: install.records("incident.fake_daemon"), "the note to be recorded")
    assert install.daemon_pid() == daemon
