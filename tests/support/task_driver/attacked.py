"""A task that attacks its supervisor."""

# ruff: noqa: ASYNC240 - this program has one thing to do at a time

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

from tests.support.task_driver.driver import Driver, run

_ATTACKS = Path(__file__).parents[1] / "attacks_inside.py"


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
