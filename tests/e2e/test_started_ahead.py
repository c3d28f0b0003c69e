"""Part of a contained task is made before anybody asks for it.

It makes no difference that could be seen.
"""

from __future__ import annotations

import os
import signal

from supervisor import procfs
from tests.support.live import Install, wait_for

OWN = os.readlink("/proc/self/ns/net")


def deepest(install: Install) -> set[int]:
    """Pids of what waits below the zygotes' spares, and the spare of the one for panes.

    daemon → zygote → spare → launcher; daemon → zygote → zygote for panes → spare.
    """
    depth = {install.daemon_pid(): 0}
    for entry in procfs.descendants(install.daemon_pid()):
        depth[entry.pid] = depth[entry.parent] + 1
    return {pid for pid, steps in depth.items() if steps == 3}


def network(install: Install) -> str:
    """Runs a task that reaches its own proxy; its network namespace."""
    command = 'exec 3<>"/dev/tcp/127.0.0.1/3128" && readlink /proc/self/ns/net'
    done = install.cli("run", "--headless", "--", "bash", "-c", command)
    assert done.returncode == 0, done.stderr
    assert install.records("task.started")[-1]["tier"] == "A"
    return done.stdout.strip()


def test_tasks_start_with_and_without_a_launcher_that_waits_for_them(install: Install) -> None:
    assert install.cli("history").returncode == 0  # starts the supervisor
    before = wait_for(lambda: deepest(install), "the zygotes")
    networks = [network(install)]
    (waiting,) = wait_for(lambda: deepest(install) - before, "a launcher that waits")
    networks.append(network(install))
    (other,) = wait_for(lambda: deepest(install) - before - {waiting}, "the next one")
    os.kill(other, signal.SIGKILL)
    networks.append(network(install))
    assert OWN not in networks


def test_a_launcher_that_waits_is_of_no_use_to_an_uncontained_task(install: Install) -> None:
    assert install.cli("history").returncode == 0
    before = wait_for(lambda: deepest(install), "the zygotes")
    network(install)
    (waiting,) = wait_for(lambda: deepest(install) - before, "a launcher that waits")
    words = ("run", "--headless", "--contain", "off", "--", "readlink", "/proc/self/ns/net")
    assert install.cli(*words).stdout.strip() == OWN
    wait_for(lambda: waiting not in deepest(install), "its end")
