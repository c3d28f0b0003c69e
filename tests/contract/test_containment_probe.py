"""The probe says what this machine can do, by doing it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from supervisor.model import Tier
from supervisor.process.probe import probe, try_container

pytest_plugins = ("tests.support.task_fixtures",)


@pytest.fixture(autouse=True)
def _fresh() -> None:
    probe.cache_clear()


def test_working_bubblewrap_is_tier_a(bwrap: str) -> None:
    found = probe((bwrap,))
    assert found.tier is Tier.A
    assert Path(found.bwrap).name == "bwrap"


def test_missing_bubblewrap_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = probe()
    assert (found.tier, found.bwrap) == (Tier.B, "")
    assert found.detail.endswith("not A: bubblewrap is not installed")


@pytest.mark.parametrize("best", [Tier.B, Tier.UNCONTAINED])
def test_a_tier_can_be_lowered(bwrap: str, best: Tier) -> None:
    found = probe((bwrap,), best=best)
    assert (found.tier, found.bwrap) == (best, "")
    assert "config.toml asks for no" in found.detail


def test_without_landlock_nothing_contains_and_both_reasons_are_told(tmp_path: Path) -> None:
    tier, detail = probed_without(444, 445, 446)
    assert tier == "uncontained"
    assert detail.startswith("bubblewrap is not installed; ")
    assert "landlock: not available" in detail


def test_a_container_that_keeps_descriptors_apart_has_tier_b_without_servers() -> None:
    """The default of container engines: no user namespaces, no pidfd_getfd(2)."""
    tier, detail = probed_without(438)
    assert tier == "B"
    assert "programs in a task cannot be servers" in detail


def probed_without(*calls: int) -> tuple[str, str]:
    """(tier, detail) without bubblewrap, in a process whose filter takes system calls away."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, *map(str, calls)],
        env={"PATH": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    tier, detail = done.stdout.strip().split(" ", 1)
    return tier, detail


_WITHOUT = """
import ctypes, struct, sys
from supervisor.process import linux
from supervisor.process.probe import probe
deny = [(0x20, 0, 0, 0)]
for call in sys.argv[1:]:
    deny += [(0x15, 0, 1, int(call)), (6, 0, 0, 0x50000 | 38)]
deny += [(6, 0, 0, 0x7FFF0000)]
program = b"".join(struct.pack("=HBBI", *step) for step in deny)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(22, 2, ctypes.byref(Program(len(deny), program)), 0, 0) == 0
found = probe()
print(found.tier, found.detail)
"""


def test_candidate_is_used_where_path_has_none(bwrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert probe(("/no/such/bwrap", bwrap)).bwrap == bwrap


def test_bubblewrap_that_fails_is_quoted(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert "No permissions to create a namespace" in try_container(str(broken))
