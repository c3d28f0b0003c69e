"""`taskpass.toml`: a project tightens, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.errors import PolicyError
from supervisor.model import Effect, Limits, Outcome, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.project import Project, read_project
from tests.support.judging import situation

GET = Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/"})
NO_GET = 'forbid (principal, action == Action::"http", resource);'


def outcome(project: Project, preset: str = "standard") -> Outcome:
    engine = CedarEngine.load(preset).tightened(project.sources_for(preset))
    return engine.decide([GET], situation("/w")).outcome


def project(tmp_path: Path, text: str) -> Project:
    (tmp_path / "taskpass.toml").write_text(text)
    return read_project(str(tmp_path))


def test_no_file_asks_for_nothing(tmp_path: Path) -> None:
    found = read_project(str(tmp_path))
    assert found == Project()
    assert outcome(found) is Outcome.ALLOW
    assert found.tightened(Limits()) == Limits()


def test_policies_stand_in_files_and_in_the_text(tmp_path: Path) -> None:
    (tmp_path / "rules.cedar").write_text(NO_GET)
    assert outcome(project(tmp_path, '[policy]\nfiles = ["rules.cedar"]')) is Outcome.DENY
    assert outcome(project(tmp_path, f"[policy]\ncedar = '{NO_GET}'")) is Outcome.DENY


def test_a_stricter_preset_is_a_tightening(tmp_path: Path) -> None:
    strict = project(tmp_path, '[policy]\npreset = "strict"')
    assert outcome(strict) is Outcome.ASK
    assert outcome(strict, "strict") is Outcome.ASK
    loose = project(tmp_path, '[policy]\npreset = "standard"')
    assert outcome(loose, "strict") is Outcome.ASK


def test_limits_are_only_lowered(tmp_path: Path) -> None:
    limits = Limits(max_age=3600.0, max_call_age=900.0, max_calls=100)
    lower = project(tmp_path, "[limits]\nmax_calls = 5\nmax_age = 10\nmax_call_age = 0.5")
    assert lower.tightened(limits) == Limits(600.0, 30.0, 5)
    changes = project(tmp_path, "[limits]\nmax_changes = 7")
    assert changes.tightened(limits).max_changes == 7
    assert changes.tightened(Limits(max_changes=3)).max_changes == 3
    assert changes.tightened(Limits(max_changes=0)).max_changes == 0
    higher = project(tmp_path, "[limits]\nmax_calls = 500\nmax_age = 999\nmax_call_age = 999")
    assert higher.tightened(limits) == limits


def test_containment_is_only_tightened(tmp_path: Path) -> None:
    assert project(tmp_path, "").contain == "off"
    found = project(tmp_path, '[containment]\nmode = "strict"\ndeny_read = ["secrets/**"]')
    assert (found.contain, found.deny_read) == ("strict", ("secrets/**",))


def test_a_permit_is_no_tightening(tmp_path: Path) -> None:
    found = project(tmp_path, "[policy]\ncedar = 'permit (principal, action, resource);'")
    with pytest.raises(PolicyError, match=r"taskpass\.toml.*only tighten"):
        CedarEngine.load().tightened(found.sources_for("standard"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("policy =", r"taskpass\.toml:1:\d+: "),
        ("[policy]\npreset = 1", "policy.preset must be a text"),
        ('[policy]\npreset = "yolo"', "no preset 'yolo'"),
        ('[policy]\nfiles = "x"', "policy.files must be a list"),
        ('[policy]\nfiles = ["missing.cedar"]', "cannot be read"),
        ('[policy]\nfiles = ["../x.cedar"]', "outside the workspace"),
        ('[policy]\nfiles = ["/etc/passwd"]', "outside the workspace"),
        ("[policy]\nallow = 1", "there is no policy.allow"),
        ("[network]\nallow_private = []", "there is no 'network'"),
        ("preset = 1", "there is no 'preset'"),
        ("[limits]\nmax_calls = 0", "limits.max_calls must be a number above 0"),
        ("[limits]\nmax_calls = 1.5", "limits.max_calls"),
        ("[limits]\nmax_age = true", "limits.max_age"),
        ("[limits]\nmax_age = nan", "limits.max_age"),
        ('[containment]\nmode = "off"', "containment.mode must be standard or strict"),
        ('[containment]\nshow = [".env"]', "there is no containment.show"),
        ('[containment]\ndeny_read = ["/etc"]', "outside the workspace"),
        ('[containment]\ndeny_read = ["~/x"]', "outside the workspace"),
        ('[containment]\ndeny_read = ["a/../../x"]', "outside the workspace"),
    ],
)
def test_a_wrong_file_starts_nothing(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        project(tmp_path, text)


def test_links_do_not_lead_out_of_the_workspace(tmp_path: Path) -> None:
    outside, workspace = tmp_path / "outside.cedar", tmp_path / "ws"
    outside.write_text(NO_GET)
    workspace.mkdir()
    (workspace / "in.cedar").symlink_to(outside)
    with pytest.raises(PolicyError, match="outside the workspace"):
        project(workspace, '[policy]\nfiles = ["in.cedar"]')


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taskpass.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="UTF-8"):
        read_project(str(tmp_path))
    (tmp_path / "taskpass.toml").unlink()
    (tmp_path / "taskpass.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PolicyError, match="cannot be read"):
        read_project(str(tmp_path))


def test_the_digest_is_over_all_that_was_read(tmp_path: Path) -> None:
    (tmp_path / "rules.cedar").write_text(NO_GET)
    first = project(tmp_path, '[policy]\nfiles = ["rules.cedar"]').digest
    (tmp_path / "rules.cedar").write_text(NO_GET + "\n")
    assert read_project(str(tmp_path)).digest != first
    assert first.startswith("sha256:")
