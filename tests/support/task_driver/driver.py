"""One zygote and one task, driven as the daemon does it."""

# ruff: noqa: ASYNC240 - this program has one thing to do at a time

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from supervisor.errors import TaskpassError
from supervisor.identity.attest_linux import SockDiagOwner, peer_process
from supervisor.model import Process
from supervisor.ports import Containment, Mount, SpawnRequest
from supervisor.process.holder import screen_token
from supervisor.process.placeholders import write_notice
from supervisor.process.zygote import Zygote
from supervisor.protocol import holder_wire

DECODER = msgspec.msgpack.Decoder(holder_wire.FromHolder)
PATIENCE = 30.0
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
        self.adopted: holder_wire.Adopted | None = None
        self.fds: list[int] = []
        self.events: list[holder_wire.FromHolder] = []
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
        connection.sendall(holder_wire.frame(holder_wire.Adopt(token=token)))
        loop = asyncio.get_running_loop()
        data, fds, _, _ = await loop.run_in_executor(None, socket.recv_fds, connection, 4, 8)
        if not data:
            connection.close()
            raise ConnectionRefusedError
        body = await loop.run_in_executor(None, connection.recv, holder_wire.frame_length(data))
        adopted = DECODER.decode(body)
        assert isinstance(adopted, holder_wire.Adopted)
        self.adopted, self.fds = adopted, fds
        if adopted.root_pid:
            self.root = Process(adopted.root_pid, adopted.root_start)
        connection.setblocking(False)
        reader, self.writer = await asyncio.open_unix_connection(sock=connection)
        return reader

    def give_stdio(self, stdout: int) -> None:
        with socket.socket(socket.AF_UNIX) as screen, open(os.devnull) as null:
            screen.connect(self.socket)
            frame = holder_wire.frame(holder_wire.Stdio(token=screen_token(TOKEN)))
            socket.send_fds(screen, [frame], [null.fileno(), stdout, stdout])
            screen.settimeout(PATIENCE)
            screen.recv(1)  # the holder hangs up when it has them

    async def next(self, reader: asyncio.StreamReader, *kinds: type[Any]) -> Any:
        async with asyncio.timeout(PATIENCE):
            while True:
                header = await reader.readexactly(4)
                message = DECODER.decode(await reader.readexactly(holder_wire.frame_length(header)))
                self.events.append(message)
                if isinstance(message, holder_wire.Spawned):
                    self.root = Process(message.root_pid, message.root_start)
                if isinstance(message, kinds):
                    return message

    def tell(self, message: holder_wire.ToHolder) -> None:
        self.writer.write(holder_wire.frame(message))

    async def kill(self, reader: asyncio.StreamReader) -> holder_wire.Killed:
        self.tell(holder_wire.Kill())
        killed: holder_wire.Killed = await self.next(reader, holder_wire.Killed)
        return killed

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]

    def sock_diag_owner(self) -> SockDiagOwner:
        return SockDiagOwner(self.fds[-1], lambda: self.root)

    def listener(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self.fds[0]))


async def until(condition: Callable[[], Any]) -> Any:
    """Poll until the condition holds; its value."""
    end = time.monotonic() + PATIENCE
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
        ended = await driver.next(reader, holder_wire.Exited, holder_wire.SpawnFailed)
        await driver.kill(reader)
        output.seek(0)
        text = output.read().decode(errors="replace")
    return {
        "output": text,
        "exit_code": getattr(ended, "code", None),
        "events": driver.names(),
        "socket_left": os.path.exists(driver.socket),
    }


def peer_of(path: str) -> Process:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return peer_process(connection)
