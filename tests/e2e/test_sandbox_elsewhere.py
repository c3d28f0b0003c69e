"""`taskpass sandbox`: an agent in a container that is not ours, with a bearer of its task."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bwrap import find_bwrap
from tests.support.live import ApiServer, Install, wait_for
from tests.support.ssh_server import ALIAS, ssh_server

# Between a socket in the file system and a port of the container's loopback, as socat does it.
_BRIDGE = """
import socket, sys, threading
def copy(a, b):
    while data := a.recv(65536): b.sendall(data)
    b.shutdown(socket.SHUT_WR)
door = socket.create_server(("127.0.0.1", 3128)); print("up", flush=True)
while True:
    near = door.accept()[0]
    far = socket.socket(socket.AF_UNIX); far.connect(sys.argv[1])
    for ends in ((near, far), (far, near)):
        threading.Thread(target=copy, args=ends, daemon=True).start()
"""


class Elsewhere:
    """A task for a sandbox, and the sandbox."""

    def __init__(self, install: Install, *options: str) -> None:
        self.install = install
        self.running = install.popen("sandbox", *options)
        printed: list[str] = []
        assert self.running.stdout is not None
        for line in self.running.stdout:
            printed.append(line)
            if line.startswith("ready "):
                break
        self.printed = "".join(printed)
        assert "ready" in self.printed, self.printed
        self.folder = Path(printed[-1].split()[1])

    @property
    def variables(self) -> dict[str, str]:
        text = (self.folder / "sandbox.env").read_text()
        return dict(line.split("=", 1) for line in text.splitlines())

    def contained(self, command: str) -> str:
        """What a container without a network prints; of ours it has the folder alone."""
        inside = (
            f"{os.path.realpath(sys.executable)} -c '{_BRIDGE}' /run/taskpass/proxy.sock >up & "
            f"n=0; until test -s up || test $((n += 1)) = 400; do sleep 0.05; done; {command}"
        )
        told = [
            word for name, value in self.variables.items() for word in ("--setenv", name, value)
        ]
        return subprocess.run(
            [
                find_bwrap(), "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/",
                "--tmpfs", "/tmp", "--tmpfs", "/run", "--dev", "/dev", "--proc", "/proc",
                "--bind", str(self.folder), "/run/taskpass", "--chdir", "/tmp",
                "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", *told, "sh", "-c", inside,
            ],
            capture_output=True, text=True, timeout=60, check=False,
        ).stdout  # fmt: skip

    def end(self) -> None:
        self.running.terminate()
        self.running.communicate(timeout=30)


def ask(api: ApiServer, path: str = "/me") -> str:
    return (
        f"curl -sS --noproxy '' -m 10 -w ' %{{http_code}}' "
        f'-H "Authorization: Bearer $API_TOKEN" https://{api.host}{path} 2>&1'
    )


@pytest.fixture
def elsewhere(install: Install, api: ApiServer) -> Iterator[Elsewhere]:
    made = Elsewhere(install, "--purpose", "a container")
    yield made
    made.end()


def test_a_container_without_a_network_gets_what_its_task_may_and_no_more(
    elsewhere: Elsewhere, install: Install, api: ApiServer
) -> None:
    direct = f"curl -sS -m 5 --noproxy '*' -k https://{api.host}/direct 2>&1"
    printed = elsewhere.contained(f"{ask(api)}; env; {direct}")
    assert '{"hello": "ana"} 200' in printed
    assert api.token not in printed + str(elsewhere.variables)
    assert api.seen == [("GET /me", f"Bearer {api.token}", "ok")]
    (started,) = install.records("task.started")
    assert (started["runtime"], started["runtime_evidence"]) == ("sandbox", "none")
    assert "we do not attest" in started["tier_detail"]
    (opened,) = install.records("call.opened")
    assert opened["identity"] == "session"
    assert "docker run --env-file" in elsewhere.printed
    assert "--network none" in elsewhere.printed

    # Another bearer, and none, reach nothing.
    bearer = elsewhere.variables["HTTPS_PROXY"]
    for other in (bearer.replace("taskpass:", "taskpass:x"), "http://127.0.0.1:3128"):
        assert "407" in elsewhere.contained(f"export https_proxy={other}; {ask(api, '/other')}")
    assert len(api.seen) == 1

    assert install.cli("revoke", started["task"]).returncode == 0
    elsewhere.running.communicate(timeout=30)
    assert not elsewhere.folder.exists()  # the bearer is nowhere any more
    assert len(install.records("use.intent")) == 1


def test_an_address_for_containers_takes_the_bearer_only(install: Install, api: ApiServer) -> None:
    made = Elsewhere(install, "--listen", "127.0.0.1:0", "--for", "podman")
    try:
        environ = {"PATH": "/usr/bin:/bin", **made.variables}
        environ["SSL_CERT_FILE"] = environ["CURL_CA_BUNDLE"] = str(made.folder / "ca.pem")

        def said() -> str:
            words = ("sh", "-c", ask(api))
            return subprocess.run(words, env=environ, capture_output=True, text=True).stdout

        assert '{"hello": "ana"} 200' in said()
        environ["https_proxy"] = environ["https_proxy"].replace("taskpass:", "ana:")
        assert "407" in said()
        assert f"{made.folder}/ca.pem:/run/taskpass/ca.pem:ro" in made.printed
    finally:
        made.end()
    wait_for(lambda: install.records("task.ended"), "the end of the task")
    assert not made.folder.exists()


def _taken(port: int) -> socket.socket | None:
    """A port of the machine, for us; None while somebody still has it."""
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError:
        return None


def test_what_is_printed_for_ssh_starts_an_agent_on_another_machine(
    install: Install, api: ApiServer, tmp_path: Path
) -> None:
    """Word for word, but for the machine and the agent; at a real sshd, as somebody else."""
    made = Elsewhere(install, "--for", "ssh")
    try:
        send, start = (line for line in made.printed.splitlines() if " HOST " in line)
        secret = made.variables["HTTPS_PROXY"].split("@")[0].rpartition(":")[2]
        assert secret not in made.printed, "everybody sees the words of a program"
        with ssh_server(tmp_path) as server:

            def typed(line: str) -> subprocess.CompletedProcess[str]:
                words = line.replace("HOST", ALIAS).replace("AGENT …", "sh ./agent")
                return subprocess.run(
                    ["sh", "-c", words], env=install.environ | server.environ, timeout=60,
                    stdin=subprocess.DEVNULL, capture_output=True, text=True,
                )  # fmt: skip

            look = 'id -u; echo "$API_TOKEN"; cd "$(dirname "$SSL_CERT_FILE")"; pwd; stat -c %a . *'
            (server.home / "agent").write_text(f"{look}; {ask(api)}; exit 7\n")
            sent, done = typed(send), typed(start)
            assert (sent.returncode, sent.stdout, sent.stderr) == (0, "", "")
            told = f"{done.stdout}{done.stderr}\n{server.log.read_text()}"
            account, stand_in, there, *modes, answer = done.stdout.splitlines()
            assert (done.returncode, answer) == (7, '{"hello": "ana"} 200'), told
            assert account == str(server.uid)
            assert modes == ["700", "600", "600"]
            assert stand_in != api.token
            assert not Path(there).exists(), "the bearer stays nowhere"
            # Where the way back cannot be had, no agent is started without it.
            with wait_for(lambda: _taken(int(start.split(":")[1])), "the way back to be given up"):
                assert typed(send).returncode == 0
                late = typed(start)
                assert (late.returncode, late.stdout) == (255, ""), late.stderr
                typed(f"ssh HOST rm -r {there}")
        assert api.seen == [("GET /me", f"Bearer {api.token}", "ok")]
        (opened,) = install.records("call.opened")
        assert opened["identity"] == "session"
    finally:
        made.end()
    refused = install.cli("sandbox", "--for", "ssh", "--listen", "127.0.0.1:0")
    assert refused.returncode == 2
    assert "reached by a socket" in refused.stderr


@pytest.mark.parametrize(
    ("listen", "why"),
    [
        ("0.0.0.0:3128", "other machines"),
        pytest.param("8.8.8.8:3128", "other machines", marks=pytest.mark.full),
        pytest.param("here", "ADDRESS", marks=pytest.mark.full),
    ],
)
def test_an_address_that_others_reach_is_refused(install: Install, listen: str, why: str) -> None:
    done = install.cli("sandbox", "--listen", listen)
    assert done.returncode == 2
    assert why in done.stderr


@pytest.mark.full
def test_a_project_that_wants_containment_is_heeded(install: Install) -> None:
    (install.project / "taskpass.toml").write_text('[containment]\nmode = "strict"\n')
    done = install.cli("sandbox")
    assert done.returncode == 125
    assert "not contained by us" in done.stderr
