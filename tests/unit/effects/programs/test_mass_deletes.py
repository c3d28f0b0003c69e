"""Many files deleted at once are told alike, whichever program names them and which deletes."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.effects.files import Place
from supervisor.effects.shell import shell_effects
from supervisor.model import Outcome, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator

Deletes = set[tuple[str, bool]]


def deletes(command: str, workspace: Path) -> Deletes:
    """What a command deletes, and whether with everything below."""
    effects = shell_effects(command, str(workspace), Place.of(str(workspace), "/home/ana"))
    found = [effect for effect in effects if effect.verb is Verb.DELETE]
    root = f"{workspace}/"
    return {(e.resource.removeprefix(root), bool(e.attributes["clear"])) for e in found}


@pytest.mark.parametrize(
    ("own", "piped"),
    [
        ("find . -type f -delete", "find . -type f | xargs rm"),
        ("find . -type f -delete", "find . -type f -print0 | xargs -0 rm -f"),
        ("find . -type f -delete", "find . -type f | sort | uniq | tee list | xargs rm"),
        ("find . -type f -delete", "find . -type f | xargs -I{} rm {}"),
        ("find src -name '*.o' -delete", "find src -name '*.o' | xargs rm"),
        ("find src -mtime +3 -delete", "find src -mtime +3 | head -5 | xargs rm"),
        ("find / -name '*.log' -delete", "find / -name '*.log' | xargs -r rm"),
        ("find . -delete", "git ls-files | xargs rm"),
        ("find . -delete", "git ls-files -z | xargs -0 rm -f"),
        ("find . -delete", "rg --files | xargs rm"),
        ("find src -delete", "fd . src | xargs rm"),
        ("find . -empty -delete", "fd log | xargs rm"),
        ("find . -empty -delete", "find . | grep -v keep | xargs rm"),
    ],
)
def test_xargs_deletes_what_find_would(own: str, piped: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert deletes(own, tmp_path)
    assert deletes(piped, tmp_path) == deletes(own, tmp_path)


def test_files_that_a_search_was_given_are_named_themselves(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    assert ("a.txt", False) in deletes("grep -l x a.txt | xargs rm", tmp_path)


@pytest.mark.parametrize(
    "between", ["sort other", "grep -e x other", "cat other", "awk '{print $2}'"]
)
def test_what_a_filter_brings_in_is_not_known(between: str, tmp_path: Path) -> None:
    command = f"find . -name '*.o' | {between} | xargs rm"
    effects = shell_effects(command, str(tmp_path), Place.of(str(tmp_path), "/home/ana"))
    assert any(e.attributes.get("why") for e in effects), command


def test_outside_a_container_a_person_is_asked(tmp_path: Path) -> None:
    judge = Evaluator(CedarEngine.load(), False, str(tmp_path), "/home/ana")
    for command in (
        "git ls-files | xargs rm", "find . -type f -print0 | xargs -0 rm -f",
        "find . -type f | xargs -n1 sh -c 'rm \"$1\"' _", "grep -rn foo . | xargs rm",
    ):  # fmt: skip
        assert judge.evaluate({"command": command}).decision is Outcome.ASK
    for command in ("find . -name '*.pyc' | xargs rm", "find /srv | xargs rm -rf"):
        expected = Outcome.DENY if "/srv" in command else Outcome.ALLOW
        assert judge.evaluate({"command": command}).decision is expected
