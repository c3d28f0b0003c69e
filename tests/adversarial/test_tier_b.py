"""An agent in tier B (Landlock and the gate, no namespaces) tries to get past them.

Each way is tried uncontained as well, against the same listeners: what never could succeed proves
nothing. The listeners are outside the task and count whoever comes.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import selectors
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import Account, Drive

pytest_plugins = ("tests.support.task_fixtures",)

INSIDE = Path(__file__).parents[1] / "support" / "gate_attacks_inside.py"
IPC_PRIVATE, SHARED_MEMORY, READABLE = 0, 4096, 0o444

# What works on every kernel and for every account when nothing contains it.
OPEN_UNCONTAINED = {
    "tcp",
    "tcp_mapped",
    "tcp_any_address",
    "from_a_thread_with_its_own_descriptors",
    "from_a_child",
    "after_closing_its_memory_to_others",
    "fast_open_sendto",
    "fast_open_sendmsg",
    "fast_open_sendmmsg",
    "fast_open_connect_option",
    "udp",
    "netlink_generic",
    "unix_path",
    "unix_path_by_a_link_in_the_workspace",
    "unix_path_relative",
    "unix_path_by_proc",
    "unix_abstract",
    "unix_datagrams",
    "unix_datagram_pair",
    "to_listen_everywhere",
    "to_listen_everywhere_by_ipv6",
    "to_listen_without_an_address",
    "to_listen_after_a_race_for_the_address",
    "by_changing_the_address_while_the_gate_looks",
    "signals",
    "limits_of_another_process",
    "shared_memory_by_number",
    "environment_of_another_process",
    "descriptors_of_another_process",
    "working_directory_of_another_process",
    "read_the_home",
    "read_a_file_of_the_account",
    "truncate_a_file_of_the_account",
}


class Outside:
    """Listeners on this machine that no task may reach; `heard` counts who came."""

    def __init__(self, directory: Path) -> None:
        self.heard = 0
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = os.pipe()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self.abstract = f"taskpass-{secrets.token_hex(6)}"
        self.path, self.datagrams = str(directory / "outside.sock"), str(directory / "datagrams")
        tcp = socket.socket()
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        tcp.setsockopt(socket.IPPROTO_TCP, 23, 16)  # TCP_FASTOPEN
        tcp.bind(("127.0.0.1", 0))
        self._add(tcp)
        self.port = tcp.getsockname()[1]
        second = socket.socket()
        second.bind(("127.0.0.2", self.port))
        self._add(second)
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        self.udp_port = udp.getsockname()[1]
        self._selector.register(udp, selectors.EVENT_READ, "datagram")
        for kind, name in (
            (socket.SOCK_STREAM, self.path),
            (socket.SOCK_STREAM, "\0" + self.abstract),
            (socket.SOCK_DGRAM, self.datagrams),
        ):
            made = socket.socket(socket.AF_UNIX, kind)
            made.bind(name)
            if kind == socket.SOCK_STREAM:
                self._add(made)
            else:
                self._selector.register(made, selectors.EVENT_READ, "datagram")
        os.chmod(self.path, 0o777)
        os.chmod(self.datagrams, 0o777)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _add(self, made: socket.socket) -> None:
        made.listen(512)
        made.setblocking(False)
        self._selector.register(made, selectors.EVENT_READ, "listener")

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                assert isinstance(key.fileobj, socket.socket)
                if key.data == "datagram":
                    key.fileobj.recv(64)
                    self.heard += 1
                    continue
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.accept()[0].close()
                    self.heard += 1

    def close(self) -> None:
        os.write(self._wake, b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    directory = Path("/tmp") / f"taskpass-outside-{secrets.token_hex(4)}"
    directory.mkdir()
    directory.chmod(0o755)
    listeners = Outside(directory)
    yield listeners
    listeners.close()
    for entry in directory.iterdir():
        entry.unlink()
    directory.rmdir()


@pytest.fixture
def shared_memory() -> Iterator[int]:
    """A System V segment that any account may read: by its number, not by a path."""
    libc = ctypes.CDLL(None, use_errno=True)
    number = libc.shmget(IPC_PRIVATE, SHARED_MEMORY, READABLE)
    assert number >= 0
    yield number
    libc.shmctl(number, 0, None)


@pytest.fixture
def target(account: Account, outside: Outside, shared_memory: int) -> Iterator[dict[str, Any]]:
    """What the program inside is told. The process it aims at is of the account's own."""
    file = account.home / f"taskpass-file-{secrets.token_hex(4)}"
    file.write_text("the account's")
    os.chown(file, account.uid, -1)
    victim = subprocess.Popen(["/bin/sleep", "1000"], cwd="/", env={}, **account.become())
    yield {
        "port": outside.port,
        "udp_port": outside.udp_port,
        "proxy": 3128,
        "socket": outside.path,
        "datagrams": outside.datagrams,
        "abstract": outside.abstract,
        "address": own_address(),
        "pid": victim.pid,
        "shm": shared_memory,
        "home": str(account.home),
        "file": str(file),
    }
    victim.kill()
    victim.wait()
    file.unlink()


def own_address() -> str:
    """An address of this machine that others would use; its second loopback where it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])
    return "127.0.0.3"


def attempts(
    drive: Drive, account: Account, tier: str, target: dict[str, Any]
) -> tuple[dict[str, str], list[str]]:
    """(what came of each attempt, kinds of notices that the supervisor got)."""
    python = str(Path(account.python).resolve())
    argv = [python, "-S", "attacks.py", json.dumps(target)]
    result = drive("run", tier=tier, files={"attacks.py": INSIDE.read_text()}, argv=argv)
    found: dict[str, str] = json.loads(result["output"].splitlines()[-1])
    return found, result["events"]


def test_nothing_gets_past_the_gate(
    drive: Drive, account: Account, outside: Outside, target: dict[str, Any]
) -> None:
    found, events = attempts(drive, account, "B", target)
    assert [name for name, came in found.items() if came == "succeeded"] == []
    assert outside.heard == 0
    assert events.count("Refused") >= 10, "the supervisor hears of refused connections"
    assert found["tcp"] == "ECONNREFUSED"
    assert found["unix_path"] == "EACCES"
    assert found["udp"] == "ESOCKTNOSUPPORT"


def test_the_attempts_are_real(
    drive: Drive, account: Account, outside: Outside, target: dict[str, Any]
) -> None:
    found, _ = attempts(drive, account, "uncontained", target)
    succeeded = {name for name, came in found.items() if came == "succeeded"}
    assert succeeded >= OPEN_UNCONTAINED, {n: found[n] for n in OPEN_UNCONTAINED - succeeded}
    assert outside.heard > 0


def test_the_attack_matrix_in_tier_b(drive: Drive, account: Account) -> None:
    """What is left: processes can be listed, and files outside can be asked for, not opened."""
    state = str(account.home / f".taskpass-attack-{secrets.token_hex(4)}")
    result = drive("attacks", tier="B", state=state)
    came = result["attacks"]
    assert {name for name in came if came[name] == "succeeded"} == {"see_supervisor", "shadow"}
    assert came["signal_supervisor"] == "EPERM"
    assert came["io_uring"] == "ENOSYS"
    assert result["events"].count("Refused") >= 3


def python(account: Account, script: str) -> list[str]:
    return [str(Path(account.python).resolve()), "-S", "-c", script]


def output(drive: Drive, argv: list[str], **settings: Any) -> str:
    result = drive("run", argv=argv, tier="B", **settings)
    assert result["exit_code"] == 0, result["output"]
    return str(result["output"])


_SERVERS = """
import os, socket, subprocess, sys, threading
def serve(listener):
    while True:
        try: c, _ = listener.accept()
        except OSError: return
        c.sendall(b"served"); c.close()
def ask(family, where):
    with socket.socket(family) as s:
        s.settimeout(10); s.connect(where); return s.recv(64).decode()
everywhere = socket.socket(); everywhere.bind(("0.0.0.0", 0)); everywhere.listen()
dual = socket.socket(socket.AF_INET6); dual.bind(("::", 0)); dual.listen()
plain = socket.create_server(("127.0.0.1", 0))
def local(name, kind=socket.SOCK_STREAM):
    made = socket.socket(socket.AF_UNIX, kind); made.bind(name); made.listen(); return made
at_path, packets = local("a.sock"), local("p.sock", socket.SOCK_SEQPACKET)
named = local("\\0taskpass-own-" + str(os.getpid()))
for listener in (everywhere, dual, plain, at_path, packets, named):
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
port = lambda listener: listener.getsockname()[1]
print(ask(socket.AF_INET, ("127.0.0.1", port(everywhere))))
print(ask(socket.AF_INET, ("0.0.0.0", port(plain))))
print(ask(socket.AF_INET, ("127.0.0.1", port(dual))))
print(ask(socket.AF_INET6, ("::1", port(dual))))
print(ask(socket.AF_INET6, ("::ffff:127.0.0.1", port(plain))))
print(ask(socket.AF_UNIX, "a.sock"))
print(ask(socket.AF_UNIX, os.path.abspath("a.sock")))
print(ask(socket.AF_UNIX, "p.sock"))
print(ask(socket.AF_UNIX, named.getsockname()))
code = '''import socket, sys
print(socket.create_connection(("localhost", int(sys.argv[1])), 5).recv(64).decode())'''
print(subprocess.check_output([sys.executable, "-S", "-c", code, str(port(plain))], text=True))
closed = port(plain); plain.shutdown(socket.SHUT_RDWR); plain.close()
again = socket.create_server(("127.0.0.1", closed)); again.close()
try: ask(socket.AF_INET, ("127.0.0.1", closed))
except ConnectionRefusedError: print("refused")
"""


def test_servers_of_the_task_serve_the_task(drive: Drive, account: Account) -> None:
    assert output(drive, python(account, _SERVERS)).split() == ["served"] * 10 + ["refused"]


_FLAGS = """
import fcntl, os, select, socket, struct
def connected(nonblocking, inheritable, timeout=0):
    s = socket.socket(); s.set_inheritable(inheritable); s.setblocking(not nonblocking)
    if timeout: s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", timeout, 0))
    number = s.fileno()
    code = s.connect_ex(("127.0.0.1", 3128))
    assert code in (0, 115), code
    select.select([], [s], [], 5)
    assert s.fileno() == number and s.getpeername()[0] == "127.0.0.1"
    flags = fcntl.fcntl(s, fcntl.F_GETFL)
    kept = struct.unpack("ll", s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16))[0]
    print(bool(flags & os.O_NONBLOCK), os.get_inheritable(s.fileno()), kept)
connected(False, False); connected(True, False); connected(False, True, 7)
"""


def test_a_connected_socket_is_as_its_program_made_it(drive: Drive, account: Account) -> None:
    lines = output(drive, python(account, _FLAGS)).splitlines()
    assert lines == ["False False 0", "True False 0", "False True 7"]


def test_files_as_in_a_workspace_and_not_beyond(drive: Drive, account: Account) -> None:
    script = f"""
        exec 2>/dev/null
        mkdir d && echo x > d/f && mv d/f g && ln -s g l && cat l && rm -r d && echo workspace
        echo x > "$HOME/.cache" && cat ~/.cache && echo home
        mktemp > /dev/null && echo tmp
        ls {account.home} || echo no home
        echo x > {account.home}/planted || echo not planted
        for at in / /etc /tmp /var/tmp /dev/shm /run /usr; do echo x > $at/planted && echo $at; done
        cat /etc/passwd > /dev/null && echo passwd
        echo x > ../task/planted || echo task kept
        echo x > /proc/self/oom_score_adj || echo proc kept
    """
    lines = output(drive, ["/bin/sh", "-c", script + "true"]).splitlines()
    assert lines == [
        *("x", "workspace", "x", "home", "tmp", "no home", "not planted", "passwd"),
        *("task kept", "proc kept"),
    ]


def test_no_terminal_but_the_pane(drive: Drive) -> None:
    """Whoever can open another terminal of the account reads what the person types there."""
    master, slave = os.openpty()
    try:
        os.chmod(os.ttyname(slave), 0o666)
        script = f"cat < {os.ttyname(slave)} || echo closed; ls /dev/pts || echo unlisted"
        said = output(drive, ["/bin/sh", "-c", f"exec 2>/dev/null; {script}"])
    finally:
        os.close(master)
        os.close(slave)
    assert said.split() == ["closed", "unlisted"]


def test_capabilities_are_gone(drive: Drive) -> None:
    said = output(
        drive, ["/bin/sh", "-c", "grep -E '^(Cap(Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status"]
    )
    assert [line.split()[1] for line in said.splitlines()] == ["0" * 16] * 3 + ["1"]


def test_what_is_visible_of_the_home_is_found_by_its_name_there(
    drive: Drive, account: Account
) -> None:
    name = f".tool-{secrets.token_hex(4)}"
    folder = account.home / name / "deep"
    folder.mkdir(parents=True)
    (folder / "conf").write_text("settings")
    try:
        script = f'cat "$HOME/{name}/deep/conf"; cat ~/{name}/other || echo -closed'
        (account.home / name / "other").write_text("hidden")
        argv = ["/bin/sh", "-c", f"exec 2>/dev/null; {script}"]
        assert output(drive, argv, mounts=[str(folder)]) == "settings-closed\n"
    finally:
        shutil.rmtree(account.home / name)


_DAILY = """
set -e
$0 -m venv v && v/bin/python -c 'print("venv")'
git init -q r && cd r && git -c user.name=a -c user.email=b commit -q --allow-empty -m one
git log --format=%s && tar cf t.tar .git && mkdir o && tar xf t.tar -C o && echo tar
mkfifo f && (echo fifo > f & cat f) && cat <(echo substituted)
"""


def test_ordinary_programs_run(drive: Drive, account: Account) -> None:
    """Among them pip, which looks at files that a container does not have."""
    interpreter = str(Path(account.python).resolve())
    said = output(drive, ["/bin/bash", "-c", _DAILY, interpreter])
    assert said.split() == ["venv", "one", "tar", "fifo", "substituted"]
