"""Ways out that are as good as root, really there: found outside, and out of reach inside.

A terminal multiplexer, a key agent and a message bus run as the account; a socket stands for a
container engine's, which every account may connect to.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from supervisor.model import Tier
from tests.support.accounts import Account, Drive
from tests.support.live import wait_for

pytest_plugins = ("tests.support.task_fixtures",)
pytestmark = pytest.mark.xdist_group("ways out")  # the machine has one place for an engine's socket

ENGINE = Path("/run/podman/podman.sock")

_FIND = """
import json, os
from supervisor.process.root_equivalents import account_now, found
print(json.dumps({hole.path: hole.way.name for hole in found(account_now(os.environ))}))
"""
_CONNECT = """
import json, socket, sys
for path in json.loads(sys.argv[1]):
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("connected", path)
    except OSError as error:
        print("refused", path, error)
"""


@pytest.fixture
def ways(account: Account) -> Iterator[dict[str, str]]:
    """Sockets that are open to the account now: path → what kind of way out it is."""
    for program in ("tmux", "ssh-agent", "dbus-daemon"):
        assert shutil.which(program), f"{program} is needed for this test"
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="taskpass-ways-")))
        os.chown(place, account.uid, -1)
        yield _open_ways(stack, place, account)


def _open_ways(stack: ExitStack, place: Path, account: Account) -> dict[str, str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(account.home), "TMUX_TMPDIR": str(place)}

    def keep(*argv: str) -> None:
        running = subprocess.Popen(argv, env=environ, cwd="/", **account.become())
        stack.callback(running.wait)
        stack.callback(running.kill)

    bus, keys = place / "bus", place / "keys"
    keep("ssh-agent", "-D", "-a", str(keys))
    keep("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={bus}")
    keep("tmux", "-D")
    terminal = place / f"tmux-{account.uid}/default"
    for path in (bus, keys, terminal):
        wait_for(path.exists, f"{path} to be served")
    ways = {str(bus): "session bus", str(keys): "key agent", str(terminal): "terminal multiplexer"}
    return ways | _engine(stack) if os.geteuid() == 0 else ways


def _engine(stack: ExitStack) -> dict[str, str]:
    """Only root can put a socket where an engine's lies."""
    if not ENGINE.parent.exists():
        ENGINE.parent.mkdir()
        stack.callback(ENGINE.parent.rmdir)
    stack.callback(ENGINE.unlink)
    engine = stack.enter_context(socket.socket(socket.AF_UNIX))
    engine.bind(str(ENGINE))
    engine.listen(16)
    ENGINE.chmod(0o666)
    return {str(ENGINE): "container engine socket"}


def test_each_is_found_by_the_account_that_could_use_it(
    account: Account, ways: dict[str, str]
) -> None:
    bus, keys, terminal, *_ = ways
    environ = {
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus},guid=00",
        "SSH_AUTH_SOCK": keys,
        "TMUX_TMPDIR": str(Path(terminal).parent.parent),
    }
    done = subprocess.run(
        [account.python, "-I", "-c", _FIND],
        env=environ, cwd="/", capture_output=True, text=True, check=True, **account.become(),
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert {path: told.get(path) for path in ways} == ways


@pytest.mark.parametrize("tier", list(Tier))
def test_none_can_be_reached_from_inside(
    account: Account, drive: Drive, ways: dict[str, str], tier: Tier
) -> None:
    argv = [str(Path(account.python).resolve()), "-c", _CONNECT, json.dumps(list(ways))]
    output = drive("run", argv=argv, tier=tier)["output"]
    reached = {path for path in ways if f"connected {path}" in output}
    assert reached == (set(ways) if tier is Tier.UNCONTAINED else set()), output
    if tier is Tier.A:
        assert output.count("No such file") == len(ways), "they are not even there"


@pytest.mark.parametrize("tier", [Tier.A, Tier.B])
def test_programs_with_a_set_id_bit_gain_nothing(drive: Drive, tier: Tier) -> None:
    """sudo, crontab and at are such programs: see `root_equivalents.reachable`."""
    output = drive("run", argv=["/bin/grep", "NoNewPrivs", "/proc/self/status"], tier=tier)
    assert output["output"].split() == ["NoNewPrivs:", "1"]
