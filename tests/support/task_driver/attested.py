"""Who is found behind a connection."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from typing import Any

from supervisor import procfs
from supervisor.identity.attest_linux import tree_of
from supervisor.model import Process
from supervisor.protocol import holder_wire
from tests.support.task_driver.driver import PATIENCE, Driver

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
    await driver.next(reader, holder_wire.Spawned)
    assert driver.adopted is not None
    listener = driver.listener()
    listener.settimeout(PATIENCE)
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
