"""Plays the daemon for one task, as whatever account runs it; prints what happened as JSON.

Run as a program with a scenario's name and a JSON object of settings. It is a program because
tests run it under several accounts; it imports nothing but the standard library and `supervisor`.
"""

# ruff: noqa: ASYNC230, ASYNC240 - this program has one thing to do at a time

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from supervisor import procfs
from supervisor.errors import TaskpassError
from supervisor.identity.attest_linux import SockDiagOwner, peer_process, tree_of
from supervisor.model import FileDoor, Process
from supervisor.ports import Containment, Mount, SpawnRequest
from supervisor.process.holder import screen_token
from supervisor.process.placeholders import write_notice
from supervisor.process.zygote import Zygote
from supervisor.protocol import wire

_DECODER = msgspec.msgpack.Decoder(wire.FromHolder)
_PATIENCE = 30.0
TOKEN = "token-of-the-daemon"


class Driver:
    """One zygote and one task."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.changes: dict[str, Any] = {}  # of the request
        self.base = Path(tempfile.mkdtemp(prefix="taskpass-driver-"))
        self.workspace, self.task_dir = self.base / "workspace", self.base / "task"
        self.workspace.mkdir()
        self.task_dir.mkdir()
        for name, content in settings.get("files", {}).items():
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        self.socket = str(self.base / "holder.sock")
        self.zygote = Zygote()
        self.adopted: wire.Adopted | None = None
        self.fds: list[int] = []
        self.events: list[wire.FromHolder] = []
        self.root: Process | None = None

    def request(self, argv: tuple[str, ...], **changes: Any) -> SpawnRequest:
        tier = self.settings.get("tier", "A")
        home = os.path.expanduser("~")
        fields: dict[str, Any] = {
            "task": "t-driver",
            "argv": argv,
            "env": {"PATH": "/usr/bin:/bin", "HOME": home, "CANARY_ENV": "in-the-task"},
            "cwd": str(self.workspace),
            "containment": self.containment(),
            "task_dir": str(self.task_dir),
            "tier": tier,
            "bwrap": self.settings["bwrap"] if tier == "A" else "",
            "listeners": ("proxy",),
            "ports": (3128 if tier != "uncontained" else 0,),
            "pty": False,
            "socket": self.socket,
            "cgroup": self.settings.get("cgroup", ""),
        }
        return SpawnRequest(**(fields | self.changes | changes))

    def containment(self) -> Containment:
        inside = {
            name: tuple(str(self.workspace / path) for path in self.settings.get(name, ()))
            for name in ("guarded", "masked", "absent")
        }
        write_notice(str(self.task_dir))
        mounts = tuple(Mount(path) for path in self.settings.get("mounts", ()))
        return Containment("standard", str(self.workspace), mounts, **inside)

    async def spawn(self, argv: tuple[str, ...], **changes: Any) -> None:
        await self.zygote.start()
        await self.zygote.spawn(self.request(argv, **changes), TOKEN)

    async def adopt(self, token: str = TOKEN) -> asyncio.StreamReader:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.socket)
        connection.sendall(wire.frame(wire.Adopt(token=token)))
        loop = asyncio.get_running_loop()
        data, fds, _, _ = await loop.run_in_executor(None, socket.recv_fds, connection, 4, 8)
        if not data:
            connection.close()
            raise ConnectionRefusedError
        body = await loop.run_in_executor(None, connection.recv, wire.frame_length(data))
        adopted = _DECODER.decode(body)
        assert isinstance(adopted, wire.Adopted)
        self.adopted, self.fds = adopted, fds
        if adopted.root_pid:
            self.root = Process(adopted.root_pid, adopted.root_start)
        connection.setblocking(False)
        reader, self.writer = await asyncio.open_unix_connection(sock=connection)
        return reader

    def give_stdio(self, stdout: int) -> None:
        with socket.socket(socket.AF_UNIX) as screen, open(os.devnull) as null:
            screen.connect(self.socket)
            frame = wire.frame(wire.Stdio(token=screen_token(TOKEN)))
            socket.send_fds(screen, [frame], [null.fileno(), stdout, stdout])
            screen.settimeout(_PATIENCE)
            screen.recv(1)  # the holder hangs up when it has them

    async def next(self, reader: asyncio.StreamReader, *kinds: type[Any]) -> Any:
        async with asyncio.timeout(_PATIENCE):
            while True:
                header = await reader.readexactly(4)
                message = _DECODER.decode(await reader.readexactly(wire.frame_length(header)))
                self.events.append(message)
                if isinstance(message, wire.Spawned):
                    self.root = Process(message.root_pid, message.root_start)
                if isinstance(message, kinds):
                    return message

    def tell(self, message: wire.ToHolder) -> None:
        self.writer.write(wire.frame(message))

    async def kill(self, reader: asyncio.StreamReader) -> wire.Killed:
        self.tell(wire.Kill())
        killed: wire.Killed = await self.next(reader, wire.Killed)
        return killed

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def sock_diag_owner(self) -> SockDiagOwner:
        return SockDiagOwner(self.fds[-1], lambda: self.root)

    def listener(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self.fds[0]))


async def until(condition: Callable[[], Any]) -> Any:
    """Poll until the condition holds; its value."""
    end = time.monotonic() + _PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come about")
        await asyncio.sleep(0.005)
    return value


async def run(driver: Driver, before: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Run `argv` headless to its end. `before` is called before the agent starts."""
    with tempfile.TemporaryFile() as output:
        try:
            await driver.spawn(tuple(driver.settings["argv"]))
        except TaskpassError as error:
            return {"error": error.message, "hint": error.hint}
        reader = await driver.adopt()
        before()
        driver.give_stdio(output.fileno())
        ended = await driver.next(reader, wire.Exited, wire.SpawnFailed)
        await driver.kill(reader)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return {
        "output": text,
        "exit_code": getattr(ended, "code", None),
        "events": driver.names(),
        "socket_left": os.path.exists(driver.socket),
    }


async def waits(driver: Driver) -> dict[str, Any]:
    """The agent must not run before Adopt, nor before Stdio."""
    marker = driver.workspace / "ran"
    await driver.spawn(("/bin/sh", "-c", "touch ran"))

    def programs() -> list[str]:
        holder = peer_of(driver.socket)
        below = procfs.descendants(holder.pid)
        return [Path(f"/proc/{entry.pid}/cmdline").read_text() for entry in below]

    before_adopt = programs()
    reader = await driver.adopt()
    before_stdio = programs()
    ran_early = marker.exists()
    with open(os.devnull, "w") as null:
        driver.give_stdio(null.fileno())
    await driver.next(reader, wire.Exited)
    return {
        "before_adopt": before_adopt,
        "before_stdio": before_stdio,
        "ran_early": ran_early,
        "ran": marker.exists(),
        "events": driver.names(),
    }


def peer_of(path: str) -> Process:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return peer_process(connection)


async def survives(driver: Driver) -> dict[str, Any]:
    """The daemon and the zygote go; the agent stays, and can be adopted again."""
    await driver.spawn(("/bin/sh", "-c", "echo $$ > pid; exec sleep 1000"), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, wire.Spawned)
    first, root = driver.adopted, driver.root
    assert root is not None
    await driver.zygote.close()
    driver.writer.close()
    wrong = ""
    try:
        await driver.adopt("another token")
    except OSError as error:
        wrong = type(error).__name__
    try:
        await driver.adopt(screen_token(TOKEN))
        wrong = "a screen adopted the task"
    except OSError:
        pass
    reader = await driver.adopt()
    second, same_root = driver.adopted, driver.root == root
    alive = procfs.lives(root)
    killed = await driver.kill(reader)
    assert first is not None
    assert second is not None
    return {
        "wrong_token": wrong,
        "same_ports": first.ports == second.ports,
        "same_root": same_root,
        "alive": alive,
        "left": killed.left,
        "gone": not procfs.lives(root),
    }


_FORKER = """
import os, sys, time, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def spin(): # forks a copy of itself every 2 ms and ends: outruns a listing
    while True:
        time.sleep(0.002)
        if os.fork(): os._exit(0)
        os.setsid()
        with open("count", "a") as f: f.write("x")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: spin()
    os._exit(0)
for i in range(5):
    if os.fork() == 0:
        os.setsid()
        while True: time.sleep(1)
while True: time.sleep(1)
"""


async def tree(driver: Driver) -> dict[str, Any]:
    """Freeze, thaw and kill a tree that daemonises and forks as fast as it can."""
    await driver.spawn((driver.settings["python"], "-c", _FORKER), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, wire.Spawned)
    holder = peer_of(driver.socket)
    count = driver.workspace / "count"

    def size() -> int:
        return count.stat().st_size if count.exists() else 0

    await until(lambda: size() > 20)
    driver.tell(wire.Freeze())
    root = driver.root
    assert root is not None
    await until(lambda: (s := procfs.stat(root.pid)) is not None and s.state == "T")
    frozen_at = await _settled(size)
    driver.tell(wire.Thaw())
    await until(lambda: size() > frozen_at + 5)
    stopped = procfs.stat(root.pid)
    members = procfs.descendants(holder.pid)
    killed = await driver.kill(reader)
    return {
        "frozen_at": frozen_at,
        "thawed": stopped is not None and stopped.state != "T",
        "left": killed.left,
        "took_ms": killed.took_ms,
        "survivors": [entry.pid for entry in members if procfs.lives(entry.process)],
        "still_counting": await _grows(size),
    }


async def _settled(size: Callable[[], int]) -> int:
    """The size once it has not changed for a while; fails when it never settles."""
    end = time.monotonic() + _PATIENCE
    last, since = size(), time.monotonic()
    while time.monotonic() < end:
        await asyncio.sleep(0.01)
        if size() != last:
            last, since = size(), time.monotonic()
        elif time.monotonic() - since > 0.3:
            return last
    raise TimeoutError("the frozen tree goes on")


async def _grows(size: Callable[[], int]) -> bool:
    try:
        before = size()
        return await _settled(size) != before
    except TimeoutError:
        return True


_CLIENTS = """
import os, socket, sys, time
port = int(sys.argv[1])
def connect(family=socket.AF_INET, host="127.0.0.1"):
    s = socket.socket(family); s.connect((host, port)); return s
what = sys.argv[2]
if what == "plain": s = connect(); s.send(b"plain"); time.sleep(1000)
if what == "mapped":
    s = connect(socket.AF_INET6, "::ffff:127.0.0.1"); s.send(b"mapped"); time.sleep(1000)
if what == "hidden":
    import ctypes
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) # PR_SET_DUMPABLE: closes /proc/self to its own account
    s = connect(); s.send(b"hidden"); time.sleep(1000)
if what == "child":
    if os.fork() == 0: s = connect(); s.send(b"child")
    time.sleep(1000)
if what == "shared":
    s = connect()
    if os.fork() == 0: s.send(b"shared")
    time.sleep(1000)
if what == "orphan":
    if os.fork() == 0:
        os.setsid()
        parent = os.getpid()
        if os.fork() == 0:
            while os.getppid() == parent: time.sleep(0.001)
            s = connect(); s.send(b"orphan"); time.sleep(1000)
        os._exit(0)
    os.wait(); time.sleep(1000)
if what == "gone":
    s = connect(); s.send(b"gone"); s.close(); time.sleep(1000)
"""


async def attest(driver: Driver) -> dict[str, Any]:
    """Who is found behind a connection made in the way `client` names."""
    python, client = driver.settings["python"], driver.settings["client"]
    script = driver.workspace / "client.py"
    script.write_text(_CLIENTS)
    # Uncontained, the port is only known after the start.
    command = f"exec {python} client.py $(cat port) {client}"
    waiting = f"until [ -s port ]; do sleep 0.01; done; {command}"
    await driver.spawn(("/bin/sh", "-c", waiting), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, wire.Spawned)
    assert driver.adopted is not None
    listener = driver.listener()
    listener.settimeout(_PATIENCE)
    staged = driver.workspace / "port.part"
    staged.write_text(str(driver.adopted.ports[0]))
    staged.rename(driver.workspace / "port")
    loop = asyncio.get_running_loop()
    connection, peer = await loop.run_in_executor(None, listener.accept)
    await loop.run_in_executor(None, connection.recv, 64)
    if client == "gone":
        await loop.run_in_executor(None, connection.recv, 64)  # end of the stream
    owner = driver.sock_diag_owner()
    owners = owner.owners(connection.getsockname(), peer)
    chains = [owner.ancestry(process) for process in owners]
    micros = []
    for _ in range(200):
        began = time.perf_counter()
        found = owner.owners(connection.getsockname(), peer)
        if found:
            owner.ancestry(found[0])
        micros.append((time.perf_counter() - began) * 1e6)
    root = driver.root
    assert root is not None
    result = {
        "owners": len(owners),
        "owner_is_root": owners == [root],
        "all_descend": all(chain and chain[-1] == root for chain in chains),
        "none_descends": not any(chains),
        "in_tree": [tree_of(process, [root]) == root for process in owners],
        "wrong_port": owner.owners(connection.getsockname(), ("127.0.0.1", peer[1] ^ 1)),
        "stands": [owner.stands(chain) for chain in chains if chain],
        "reused_pid": owner.ancestry(Process(root.pid, root.start_time + 1)),
        "stranger": owner.ancestry(Process(os.getpid(), _start(os.getpid()))),
        "p50_us": round(statistics.median(micros)),
        "processes": len(procfs.processes()),
    }
    await driver.kill(reader)
    result["after_kill"] = owner.owners(connection.getsockname(), peer)
    result["stands_after_kill"] = any(owner.stands(chain) for chain in chains)
    return result


def _start(pid: int) -> int:
    found = procfs.stat(pid)
    assert found is not None
    return found.start


_PROMPT = """
tty; stty size
trap 'echo interrupted; exit 5' INT
echo ready
while :; do sleep 0.1; done
"""


async def terminal(driver: Driver) -> dict[str, Any]:
    """A pane: the agent has a controlling terminal, and ctrl+c is its own."""
    await driver.spawn(("/bin/sh", "-c", _PROMPT), pty=True, cols=70, rows=20)
    reader = await driver.adopt()
    screen, keys = await asyncio.open_unix_connection(driver.socket)
    keys.write(wire.frame(wire.Attach(token=screen_token(TOKEN), cols=70, rows=20)))
    rows: dict[int, str] = {}
    await _shown(screen, rows, "ready")
    keys.write(wire.frame(wire.Key(key="ctrl+c")))
    exited = await driver.next(reader, wire.Exited)
    # The last screen stays for who is attached until the daemon says Kill.
    text = await _shown(screen, rows, "interrupted")
    await driver.kill(reader)
    keys.close()
    return {"screen": text, "exit_code": exited.code}


async def _shown(screen: asyncio.StreamReader, rows: dict[int, str], wanted: str) -> str:
    """The screen's text once it shows `wanted`; `rows` is what it showed so far."""
    async with asyncio.timeout(_PATIENCE):
        while wanted not in (text := "\n".join(rows[y] for y in sorted(rows))):
            header = await screen.readexactly(4)
            message = _DECODER.decode(await screen.readexactly(wire.frame_length(header)))
            if isinstance(message, wire.Screen):
                rows |= {y: "".join(run[0] for run in row) for y, row in message.rows.items()}
    return text


_ATTACKS = Path(__file__).with_name("attacks_inside.py")


async def attacks(driver: Driver) -> dict[str, Any]:
    """Let a task attack its supervisor (this process) in every way we know."""
    needle = "needle-" + os.urandom(8).hex()
    state = Path(driver.settings["state"])
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    (state / "key").write_text(needle)
    for name in ("ledger", "code.py"):
        (state / name).write_text("as it was")
    admin = socket.socket(socket.AF_UNIX)
    admin.bind(str(state / "admin.sock"))
    admin.listen(16)
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0" + needle)
    abstract.listen(16)
    loopback = socket.create_server(("127.0.0.1", 0))
    with contextlib.suppress(OSError):  # not on every kernel
        loopback.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(("127.0.0.1", 0))
    datagrams.setblocking(False)
    shared = os.open(state / "key", os.O_RDONLY)
    os.set_inheritable(shared, True)
    address = "127.{}.{}.{}".format(*(byte | 1 for byte in os.urandom(3)))
    target = {
        "pid": os.getpid(),
        "title": "task_driver",
        "needle": needle,
        "state": str(state),
        "socket": str(state / "admin.sock"),
        "abstract": needle,
        "port": loopback.getsockname()[1],
        "udp": datagrams.getsockname()[1],
        "address": address,
        "fd": shared,
        "contained": driver.settings["tier"] != "uncontained",
        "planted": str(state.with_name(f"{state.name}-planted")),
    }
    (driver.workspace / "attacks.py").write_text(_ATTACKS.read_text())
    driver.settings["argv"] = (driver.settings["python"], "-S", "attacks.py", json.dumps(target))
    listening: list[socket.socket] = []

    def listen_beside() -> None:
        """At the proxy's port, at an address that is not the proxy's."""
        assert driver.adopted is not None
        port = driver.adopted.ports[0]
        (driver.workspace / "proxy-port").write_text(str(port))
        listening.append(socket.create_server((address, port)))

    result = await run(driver, listen_beside)
    with contextlib.suppress(ValueError):
        came = result["attacks"] = json.loads(result["output"])
        if came["plant_in_home"] == "succeeded" and not os.path.exists(target["planted"]):
            came["plant_in_home"] = "a home of its own"
        if came["udp_to_loopback"] == "succeeded":
            try:
                datagrams.recv(64)
            except BlockingIOError:
                came["udp_to_loopback"] = "nobody heard it"
    shutil.rmtree(state)
    Path(target["planted"]).unlink(missing_ok=True)
    return result


async def hangup(driver: Driver) -> dict[str, Any]:
    """SIGTERM to the holder ends the task: a machine that goes down leaves nothing running."""
    await driver.spawn(("/bin/sleep", "1000"), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, wire.Spawned)
    root = driver.root
    assert root is not None
    os.kill(peer_of(driver.socket).pid, signal.SIGTERM)
    await until(lambda: not procfs.lives(root))
    await until(lambda: not os.path.exists(driver.socket))
    return {}


async def crash(driver: Driver) -> dict[str, Any]:
    """The agent never outlives its holder."""
    await driver.spawn(("/bin/sleep", "1000"), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, wire.Spawned)
    root = driver.root
    assert root is not None
    os.kill(peer_of(driver.socket).pid, signal.SIGKILL)
    await until(lambda: not procfs.lives(root))
    return {}


async def overlay(driver: Driver) -> dict[str, Any]:
    """Run `script` on an overlay of the workspace, then `apply` or drop what it changed."""
    from supervisor.changes.shelf import Base, Shelf

    driver.settings |= {"argv": ["/bin/sh", "-c", driver.settings["script"]]}
    shelf = Shelf(driver.base / "shelf")
    workspace = str(driver.workspace)
    driver.changes["overlay"] = shelf.open(Base("t-driver", 1, "test", workspace))
    done = await run(driver)
    untouched = _content(driver.workspace)
    kept = shelf.unrecorded("t-driver")
    if kept is not None and driver.settings.get("apply", True):
        shelf.apply("t-driver", (), risky=True)
    elif kept is not None:
        shelf.drop("t-driver")
    return done | {
        "untouched": untouched,
        "changes": [f"{c.kind} {c.shown}" for c in kept.changes] if kept else [],
        "after": _content(driver.workspace),
        "left": shelf.names(),
    }


async def no_overlay(driver: Driver) -> dict[str, Any]:
    """An overlay that the kernel refuses: its working directory lies in its upper layer."""
    layers = driver.base / "layers"
    (layers / "upper/inside").mkdir(parents=True)
    (layers / "work").symlink_to("upper/inside")
    driver.changes["overlay"] = str(layers)
    try:
        await driver.spawn(("/bin/true",))
    except TaskpassError as error:
        left = [str(path) for path in (driver.base / "skeleton").iterdir()]
        return {"code": error.code, "message": error.message, "left": left}
    return {"code": "started"}


def _content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


_OBEYS = """
while :; do
  if [ -f ask ]; then sh ./ask > answer.new 2>&1; rm ask; mv answer.new answer; fi
  sleep 0.01
done
"""


async def doors(driver: Driver) -> dict[str, Any]:
    """Files from outside in a running container, from two empty directories.

    `below`: one in the home; `outside`: one that is not.
    """
    home, outside = Path(driver.settings["below"]), Path(driver.settings["outside"])
    for place in (home, outside):
        (place / "notes").mkdir()
        (place / "notes/todo").write_text("real\n")
        (place / "notes/other").write_text("nobody's business\n")
    (home / "sly").mkdir()
    (home / "sly/file").write_text("real\n")
    (home / "linked").symlink_to(outside / "notes")
    await driver.spawn(("/bin/sh", "-c", _OBEYS), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, wire.Spawned)

    async def told(script: str) -> list[str]:
        (driver.workspace / "ask.new").write_text(script)
        (driver.workspace / "ask.new").rename(driver.workspace / "ask")
        answer = driver.workspace / "answer"
        await until(answer.exists)
        text = answer.read_text()
        answer.unlink()
        return text.splitlines()

    async def opened(call: str, *doors: FileDoor) -> str:
        driver.tell(wire.OpenDoors(call=call, doors=doors))
        return str((await driver.next(reader, wire.DoorsAnswered)).problem)

    async def closed(call: str, *, publish: bool = True) -> list[str]:
        driver.tell(wire.CloseDoors(call=call, publish=publish))
        answer = await driver.next(reader, wire.DoorsAnswered)
        return [answer.problem, *answer.published]

    def door(path: Path, *, write: bool = False, source: Path | None = None) -> FileDoor:
        return FileDoor(str(path), str(source or path), write)

    found: dict[str, Any] = {}
    for place in (home, outside):
        todo, made = place / "notes/todo", place / "fresh/deep/made"
        seen = found["home" if place == home else "outside"] = {}
        seen["before"] = await told(f"cat {todo}; ls {place}")
        seen["open"] = await opened("c-1", door(todo, write=True), door(made, write=True))
        seen["during"] = await told(
            f"cat {todo}; echo more >> {todo}; ls {place}/notes; cat {place}/notes/other; "
            f"mkdir -p {place}/fresh/deep; echo made > {made}; chmod 4755 {made}; "
            f"echo beside > {place}/fresh/deep/beside; rm -f {todo}"
        )
        seen["not_yet"] = made.exists()
        seen["close"] = await closed("c-1")
        seen["after"] = await told(f"cat {todo}; echo x > {todo}; cat {made}")
        seen["real"] = [todo.read_text(), made.read_text(), oct(made.stat().st_mode & 0o7777)]
        seen["beside"] = (place / "fresh/deep/beside").exists()
        await opened("c-2", door(todo))
        seen["read_only"] = await told(f"cat {todo}; (echo x > {todo}) 2>/dev/null || echo refused")
        await closed("c-2")
        await opened("c-3", door(place / "dropped", write=True))
        await told(f"echo x > {place}/dropped")
        await closed("c-3", publish=False)
        await opened("c-4", door(place / "taken", write=True))
        await told(f"echo theirs > {place}/taken")
        (place / "taken").write_text("mine")
        seen["taken"] = [*(await closed("c-4")), (place / "taken").read_text()]
        seen["dropped"] = (place / "dropped").exists()
        await opened("c-5", door(place / "notes"))
        seen["directory"] = await told(f"cat {place}/notes/other; touch {place}/notes/new")
        await closed("c-5")
    await opened("c-0", door(home / "tree", write=True))
    await told(f"mkdir -p {home}/tree/deep; echo leaf > {home}/tree/deep/leaf")
    await closed("c-0")
    await opened("c-13", door(home / "vast", write=True), door(home / "pipe", write=True))
    await told(f"truncate -s 4G {home}/vast; mkfifo {home}/pipe")
    found["vast"] = await closed("c-13")
    found["vast_there"] = (home / "vast").exists() or (home / "pipe").exists()
    found["tree"] = (home / "tree/deep/leaf").read_text()
    linked = home / "linked/todo"
    await opened("c-6", door(linked, source=outside / "notes/todo"))
    found["linked"] = await told(f"cat {linked}")
    await closed("c-6")
    await told(f"rm -rf {home}/sly; ln -s /etc {home}/sly")
    found["sly"] = await opened("c-7", door(home / "sly/file", write=True))
    found["covered"] = await opened("c-8", door(Path("/usr/bin/env"), write=True))
    (home / "notes/link").symlink_to("/etc/hostname")
    found["swapped"] = await opened("c-9", door(home / "notes/link", write=True))
    await opened("c-10", door(home / "notes/todo", write=True))
    found["two"] = await opened("c-11", door(home / "notes/other"))
    await closed("c-10")
    found["other_stays"] = await told(f"cat {home}/notes/other; cat {home}/notes/todo")
    # A new daemon knows none of the calls.
    reader = await driver.adopt()
    found["adopted_again"] = await until_told(told, f"cat {home}/notes/other", "No such file")
    await opened("c-12", door(home / "notes/todo", write=True))
    killed = await driver.kill(reader)
    found["left"] = killed.left
    found["mounted"] = [line for line in Path("/proc/self/mountinfo").read_text().splitlines()
                        if str(home) in line or "skeleton" in line]  # fmt: skip
    found["real"] = (home / "notes/todo").read_text()
    return found


async def until_told(
    told: Callable[[str], Awaitable[list[str]]], script: str, wanted: str
) -> list[str]:
    """What the task says once `wanted` is part of it."""
    end = time.monotonic() + _PATIENCE
    while True:
        answer = await told(script)
        if any(wanted in line for line in answer):
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"the task says {answer}, not {wanted}")


_SCENARIOS = {
    scenario.__name__: scenario
    for scenario in (
        run,
        waits,
        survives,
        tree,
        attest,
        terminal,
        hangup,
        crash,
        attacks,
        doors,
        overlay,
        no_overlay,
    )
}


async def main(name: str, settings: dict[str, Any]) -> None:
    driver = Driver(settings)
    try:
        result = await _SCENARIOS[name](driver)
    finally:
        # A holder outlives its daemon on purpose; one whose scenario failed must not.
        with contextlib.suppress(OSError, TaskpassError):
            os.kill(peer_of(driver.socket).pid, signal.SIGTERM)
        await driver.zygote.close()
    print(json.dumps(result))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
