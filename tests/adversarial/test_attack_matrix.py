"""An agent attacks its supervisor. The matrix in SECURITY.md is what these tests show.

Every attack is also run uncontained, so that one which never could succeed is seen as such. Each
is run twice in each tier: against a process that stands in for the supervisor, holds what an
attacker wants and can be read, and against a real supervisor with its records.
"""

from __future__ import annotations

import json
import re
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import Account, Drive, this_account
from tests.support.live import wait_for
from tests.support.somebody import Somebody, settled

pytest_plugins = ("tests.support.task_fixtures",)

# What an agent of the same account can do when nothing contains it, on any kernel and as any user.
ALWAYS_OPEN_UNCONTAINED = {
    "read_key_file",
    "tamper_with_ledger",
    "tamper_with_code",
    "see_state_directory",
    "supervisor_socket",
    "abstract_socket",
    "host_loopback",
    "proxy_port_of_another_address",
    "udp_to_loopback",
    "see_supervisor",
    "signal_supervisor",
    "supervisor_descriptor",
    "process_vm_readv",
    "ptrace",
    "pidfd_getfd",
    "sock_diag",
    "plant_in_home",
    "shadow",
}
# The same, where the kernel has no Yama or it is switched off.
OPEN_UNCONTAINED_WITHOUT_YAMA = {
    "supervisor_environment",
    "supervisor_memory",
    "supervisor_memory_by_call",
    "supervisor_descriptor_by_pidfd",
    "trace_supervisor",
}
# Landlock lets names be asked for: which processes there are, and whether a file exists.
OPEN_IN_TIER_B = {"see_supervisor", "shadow"}
# What the supervisor can see of a real attack: previews of `egress.refused`. The rest leaves no
# trace: it ends in a system call that the kernel refuses, or in a name that leads nowhere.
ON_RECORD = {
    "A": {
        "host_loopback": "tcp localhost port {port}",
        "multipath_to_loopback": "tcp localhost port {port}",
        "fast_open_to_loopback": "tcp localhost port {port}",
        "udp_out": "udp 192.0.2.1 port 53",
        "tcp_out": "tcp 192.0.2.1 port 4444",
    },
    "B": {
        "host_loopback": "tcp 127.0.0.1 port {port}",
        "proxy_port_of_another_address": "tcp {address} port 3128",
        "tcp_out": "tcp 192.0.2.1 port 4444",
        "supervisor_socket": "unix {socket}",
        "abstract_socket": "unix @{abstract}",
    },
}
STATE = ".local/state/taskpass"
_SECURITY = Path(__file__).parents[2] / "SECURITY.md"
_INSIDE = Path(__file__).parents[1] / "support" / "attacks_inside.py"


@pytest.fixture
def state(account: Account) -> str:
    """A directory in the account's home, where the supervisor's own state would lie."""
    return str(account.home / f".taskpass-attack-{secrets.token_hex(4)}")


def yama() -> int:
    """0 where processes of one account may trace each other."""
    try:
        return int(Path("/proc/sys/kernel/yama/ptrace_scope").read_text())
    except FileNotFoundError:
        return 0


def succeeded(attacks: dict[str, str]) -> set[str]:
    return {name for name, came in attacks.items() if came == "succeeded"}


def test_no_attack_succeeds_in_tier_a(drive: Drive, state: str) -> None:
    result = drive("attacks", tier="A", state=state)
    assert "attacks" in result, result["output"]
    assert succeeded(result["attacks"]) == set()
    assert result["attacks"]["type_into_terminal"] == "EPERM"
    assert result["attacks"]["io_uring"] == "ENOSYS"
    assert result["attacks"]["mount"] == "EPERM"
    assert result["attacks"]["clone3"] == "ENOSYS"


def test_names_are_all_that_is_seen_in_tier_b(drive: Drive, state: str) -> None:
    result = drive("attacks", tier="B", state=state)
    assert "attacks" in result, result["output"]
    assert succeeded(result["attacks"]) == OPEN_IN_TIER_B
    assert result["attacks"]["signal_supervisor"] == "EPERM"
    assert result["attacks"]["io_uring"] == "ENOSYS"


def test_attacks_are_real(drive: Drive, state: str) -> None:
    result = drive("attacks", tier="uncontained", state=state)
    assert "attacks" in result, result["output"]
    expected = ALWAYS_OPEN_UNCONTAINED | (OPEN_UNCONTAINED_WITHOUT_YAMA if not yama() else set())
    assert expected - succeeded(result["attacks"]) == set(), result["attacks"]


def test_security_md_tells_what_is_shown_here() -> None:
    cells = r"^\| `(\w+)` \| (.+) \| (.+) \| (.+) \| (.+) \|$"
    table = _SECURITY.read_text().partition("| attack | ")[2].partition("\n\n")[0]
    rows = re.findall(cells, table, re.M)
    attacks = re.findall(r"^@attack\ndef (\w+)", _INSIDE.read_text(), re.M)
    assert sorted(row[0] for row in rows) == sorted(attacks)
    for name, in_a, in_b, free, record in rows:
        assert in_a == "fails"
        assert (in_b == "open") == (name in OPEN_IN_TIER_B), name
        assert (free == "open") == (name in ALWAYS_OPEN_UNCONTAINED), name
        assert (free == "without Yama") == (name in OPEN_UNCONTAINED_WITHOUT_YAMA), name
        tiers = [tier for tier, seen in ON_RECORD.items() if name in seen]
        assert record == (", ".join(tiers) or "no trace"), name


# ── Against a real supervisor, with its records ─────────────────────────────────────────────


@pytest.fixture(scope="module", params=["A", "B"])
def attacker(request: pytest.FixtureRequest, unprivileged: Account) -> Iterator[Somebody]:
    """An unprivileged account's install."""
    with settled(unprivileged, request.param) as somebody:
        yield somebody


@pytest.fixture(scope="module", params=["A", "B"])
def attacker_as_we_are(request: pytest.FixtureRequest) -> Iterator[Somebody]:
    """An install of this account: root's, in containers and in CI."""
    with settled(this_account(), request.param) as somebody:
        yield somebody


def refused(attacker: Somebody) -> set[str]:
    return {record["preview"] for record in attacker.records("egress.refused")}


def attacked(attacker: Somebody) -> tuple[dict[str, str], str]:
    """What came of all attacks in a task, each that is to be on record being so; and the needle."""
    needle = secrets.token_hex(8)
    assert attacker.taskpass("ps").returncode == 0  # starts the supervisor
    for name in ("key", "ledger", "code.py"):
        attacker.write(f"{STATE}/{name}", needle, 0o600)
    address = f"127.{secrets.randbelow(200) + 1}.{secrets.randbelow(200) + 1}.9"
    attacker.write("project/proxy-port", "3128")
    attacker.write("project/attacks.py", _INSIDE.read_text())
    with (
        socket.create_server(("127.0.0.1", 0)) as loopback,
        socket.create_server((address, 3128)),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        datagrams.bind(("127.0.0.1", 0))
        datagrams.setblocking(False)
        abstract.bind(f"\0{needle}")
        abstract.listen()
        target: dict[str, Any] = {
            "pid": attacker.records("daemon.started")[-1]["pid"],
            "title": "supervisor.daemon",
            "needle": needle,
            "state": str(attacker.home / STATE),
            "socket": str(next((attacker.root / "run/taskpass").glob("*.sock"))),
            "abstract": needle,
            "port": loopback.getsockname()[1],
            "udp": datagrams.getsockname()[1],
            "address": address,
            "fd": 3,
            "contained": True,
            "planted": str(attacker.home / "planted"),
        }
        told = attacker.inside(f"python3 -S attacks.py '{json.dumps(target)}'")
        came = json.loads(told[told.index("{") : told.rindex("}") + 1])
        # The last of it is on record a moment after the task's end.
        wanted = {preview.format(**target) for preview in ON_RECORD[attacker.tier].values()}
        wait_for(lambda: wanted <= refused(attacker), f"records of {wanted}")
        if came["udp_to_loopback"] == "succeeded":
            with pytest.raises(BlockingIOError):
                datagrams.recv(64)
            came["udp_to_loopback"] = "nobody heard it"
    if came["plant_in_home"] == "succeeded" and not Path(target["planted"]).exists():
        came["plant_in_home"] = "a home of its own"
    return came, needle


def assert_refused_and_recorded(attacker: Somebody) -> None:
    came, needle = attacked(attacker)
    assert succeeded(came) == (OPEN_IN_TIER_B if attacker.tier == "B" else set()), came
    for name in ("key", "ledger", "code.py"):
        assert (attacker.home / STATE / name).read_text() == needle
    assert attacker.taskpass("verify").returncode == 0


def test_a_real_supervisor_is_out_of_reach(attacker: Somebody) -> None:
    assert_refused_and_recorded(attacker)


def test_a_real_supervisor_is_out_of_reach_of_root(attacker_as_we_are: Somebody) -> None:
    assert_refused_and_recorded(attacker_as_we_are)
