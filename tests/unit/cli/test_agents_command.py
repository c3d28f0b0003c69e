"""`taskpass agents`: what a person reads there is what the profiles say, all of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from profiles import all_profiles
from profiles.manifest import Manifest
from supervisor.cli import agents
from supervisor.cli.main import main

_README = Path(__file__).parents[3] / "README.md"


def manifest_of(name: str) -> Manifest:
    (found,) = (p for p in all_profiles() if p.name == name)
    manifest = found.manifest  # type: ignore[attr-defined]
    assert isinstance(manifest, Manifest)
    return manifest


NAMES = [profile.name for profile in all_profiles()]


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("nothing_installed")
def test_each_profile_is_one_line_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agents"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert re.split(r" {2,}", head) == [
        "agent", "here", "status", "call identity", "rewrite", "fail mode",
    ]  # fmt: skip
    assert [line.split("  ")[0] for line in lines[: len(NAMES)]] == NAMES


@pytest.mark.usefixtures("nothing_installed")
@pytest.mark.parametrize("name", NAMES)
def test_one_agent_is_told_whole(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = manifest_of(name)
    assert main(["agents", name]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 100
    text = " ".join(out.split())
    told = [manifest.title, manifest.fail_detail, manifest.status, *manifest.hooked,
            *manifest.unhooked, *manifest.refuse, *manifest.connect]  # fmt: skip
    told += [words for bypass in manifest.bypasses for words in (bypass.what, bypass.answer)]
    for words in told:
        assert " ".join(words.split()) in text


@pytest.mark.usefixtures("nothing_installed")
def test_scripts_get_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agents", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema_version"] == 1
    assert [one["name"] for one in told["agents"]] == NAMES
    for one in told["agents"]:
        manifest = manifest_of(one["name"])
        assert one["fail_mode"] == manifest.fail_mode
        assert one["rewrite"] == manifest.rewrite
        assert [bypass["what"] for bypass in one["bypasses"]] == [b.what for b in manifest.bypasses]
        assert one["program"] == ""


def test_an_installed_agent_is_shown_with_its_version_and_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    package = tmp_path / "node_modules/@mariozechner/pi-coding-agent"
    program = package / "dist/cli.js"
    program.parent.mkdir(parents=True)
    program.write_text("#!/usr/bin/env node\n")
    program.chmod(0o755)
    package.joinpath("package.json").write_text('{"version": "0.99.1"}')
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/pi").symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert main(["agents"]) == 0
    assert re.search(r"^pi +0\.99\.1 ", capsys.readouterr().out, re.MULTILINE)
    assert main(["agents", "pi"]) == 0
    assert f"0.99.1, {program}" in " ".join(capsys.readouterr().out.split())


def test_a_name_that_nobody_has_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agents", "nobody"]) == 2
    told = capsys.readouterr()
    assert "There is no profile 'nobody'" in told.err
    assert told.out == ""


def test_the_readme_shows_what_is_printed_where_all_of_them_are_installed() -> None:
    known = []
    for profile in all_profiles():
        manifest = manifest_of(profile.name)
        here = manifest.offered
        version = next(iter(manifest.tested), "")
        known.append(agents.Known(manifest, profile.call_identity, "/x" if here else "", version))
    printed = [line.split() for line in agents.table(known).split("\n\n")[0].splitlines()]
    _, _, block = _README.read_text("utf-8").partition("\n    agent ")
    shown = [line.split() for line in f"agent {block}".split("\n\n")[0].splitlines()]
    assert shown == printed
