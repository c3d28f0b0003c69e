"""A supervised task in tier B: what it is lent comes by the proxy only, and refusals are told."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live import ApiServer, Install, ended, wait_for
from tests.support.scripted_agent import ScriptedAgent, running


@pytest.fixture
def gated(install: Install) -> None:
    """The person's configuration takes tier A away."""
    install.settings = '[containment]\ntier = "B"\n'
    install.configure("")


@pytest.fixture
def agent(gated: None, install: Install, api: ApiServer) -> Iterator[ScriptedAgent]:
    """Plays Claude Code."""
    with running(install) as started:
        yield started


def test_a_call_is_lent_its_credential_by_the_proxy(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    assert agent.run(f"./thief ask https://{api.host}/me") == 'ask: {"hello": "ana"} 200\n'
    assert api.seen == [("GET /me", f"Bearer {api.token}", "ok")]
    (started,) = install.records("task.started")
    assert started["tier"] == "B"
    assert "config.toml asks for no better tier" in started["tier_detail"]


def test_a_way_past_the_proxy_is_refused_and_on_record(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    port = api.host.rpartition(":")[2]
    assert "Failed to connect" in agent.run(f"curl --noproxy '*' -k https://127.0.0.1:{port}/me")
    assert api.seen == []
    refused = wait_for(lambda: install.records("egress.refused"), "the refusal")
    assert [(r["protocol"], r["address"], r["port"]) for r in refused] == [
        ("tcp", "127.0.0.1", int(port))
    ]
    assert refused[0]["task"] == agent.task


@pytest.mark.root  # only root can see where a holder listens
def test_nobody_but_the_task_gets_anything_at_its_proxy(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    """Its listener is on the machine's own loopback: another program can connect, and no more."""
    call = agent.begin(f"./thief between https://{api.host}/me")
    agent.heard("ready")
    answers = [_asked(port, api.host) for port in _listeners(install, agent.task)]
    assert len(answers) == 3  # the proxy's, the hooks' and git's
    assert all(b" 200 " not in answer for answer in answers)
    assert len(api.seen) == 1
    agent.say("go")
    assert agent.finish(call)[0] == 0


def test_the_gate_goes_on_without_a_supervisor(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    before = install.daemon_pid()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: ended(before), "the supervisor to die")
    install.cli("status")  # starts the next one, which takes the task over
    port = api.host.rpartition(":")[2]
    assert "Failed to connect" in agent.run(f"curl --noproxy '*' -k https://127.0.0.1:{port}/me")
    assert wait_for(lambda: install.records("egress.refused"), "the refusal")
    assert agent.run(f"./thief ask https://{api.host}/me") == 'ask: {"hello": "ana"} 200\n'


def test_what_only_tier_a_can_keep_is_said_and_watched(
    agent: ScriptedAgent, install: Install
) -> None:
    (started,) = install.records("task.started")
    assert "open to programs, since only tier A can keep them" in started["tier_detail"]
    # An empty directory holds its place.
    code = "import os; os.rmdir('.mcp.json'); open('.mcp.json', 'w').write('{}')"
    (agent.folder / "plant.py").write_text(code)
    agent.run("python3 plant.py")
    agent.hang_up()
    (incident,) = wait_for(lambda: install.records("incident.guarded_changed"), "the incident")
    assert any(path.endswith("/.mcp.json") for path in incident["detail"]["paths"])


def test_a_listed_service_of_the_machine_is_reached_and_judged(
    install: Install, gated: None
) -> None:
    listed, other = (http.server.HTTPServer(("127.0.0.1", 0), _Hello) for _ in range(2))
    for server in (listed, other):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with running(install, "--loopback", str(listed.server_port)) as agent:
            ask = "curl -sS --noproxy '*' http://127.0.0.1"
            for _ in range(4):  # each is attested as soon as it comes
                assert agent.run(f"{ask}:{listed.server_port}/") == "hello\n"
            assert "Failed to connect" in agent.run(f"{ask}:{other.server_port}/")
    finally:
        for server in (listed, other):
            server.shutdown()
            server.server_close()
    effects = [record["effect"] for record in install.records("use.allowed")]
    assert effects == [f"connect localhost:{listed.server_port}"] * 4


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello\n")

    def log_message(self, *_: object) -> None:
        pass


def _listeners(install: Install, task: str) -> list[int]:
    """Ports on the loopback of the machine where the task's holder listens."""
    holder = (install.root / f"run/taskpass/tasks/{task}/holder.pid").read_text()
    held = {os.readlink(link) for link in Path(f"/proc/{holder}/fd").iterdir()}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(line[1].rpartition(":")[2], 16)
        for line in lines
        if line[3] == "0A" and f"socket:[{line[9]}]" in held
    ]


def _asked(port: int, host: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.settimeout(10)
        connection.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            return connection.recv(4096)
        except OSError:
            return b""
