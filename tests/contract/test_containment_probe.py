"""The probe says what this machine can do, by doing it."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.model import Tier
from supervisor.process.probe import exposed, probe, try_container

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
    assert (found.tier, found.bwrap) == (Tier.UNCONTAINED, "")
    assert found.detail == "bubblewrap is not installed"


def test_candidate_is_used_where_path_has_none(bwrap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert probe(("/no/such/bwrap", bwrap)).bwrap == bwrap


def test_bubblewrap_that_fails_is_quoted(tmp_path: Path) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create a namespace' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert "No permissions to create a namespace" in try_container(str(broken))


def test_exposed_names_only_what_exists(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".netrc").write_text("")
    assert exposed(str(tmp_path)) == ("~/.ssh", "~/.netrc")
