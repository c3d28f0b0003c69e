"""The person's policy files, changed from outside: what tightens holds, what loosens waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.errors import NotFound, PolicyError
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator
from supervisor.policy.in_force import Policies
from supervisor.policy.source import Layer, PolicySource

ALLOW_PUSH = """
@id("mine/push") @description("pushes go on")
permit (principal, action == Action::"push", resource);
"""
ASK_MAKE = """
@id("mine/make") @ask("runs make")
permit (principal, action == Action::"run", resource == Program::"make");
"""
NO_CURL = """
@id("mine/curl") @description("No curl here.")
forbid (principal, action == Action::"run", resource == Program::"curl");
"""
PUSH, MAKE, CURL = "git push origin x", "make", "curl -s https://docs.example"


class Files:
    """A person's policy directory, and what a daemon makes of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.pin = root / "policy.json"
        (root / "config" / "policy").mkdir(parents=True)

    def write(self, text: str, name: str = "mine.cedar") -> None:
        (self.root / "config" / "policy" / name).write_text(text)

    def policies(self) -> Policies:
        return Policies("standard", self.root / "config" / "policy", [], self.pin)

    def says(self, engine: CedarEngine, command: str) -> str:
        evaluator = Evaluator(engine, True, str(self.root / "ws"), "/home/ana")
        return evaluator.evaluate({"command": command}).decision.value


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_what_is_there_at_first_is_accepted(files: Files) -> None:
    files.write(ALLOW_PUSH)
    policies = files.policies()
    assert files.says(policies.for_task(), PUSH) == "allow"
    assert policies.look() is None
    assert policies.pending().loosens == ()


@pytest.mark.parametrize(
    ("before", "after", "command", "was", "then"),
    [
        ("", NO_CURL, CURL, "allow", "deny"),
        ("", ASK_MAKE, MAKE, "allow", "ask"),
        (ALLOW_PUSH, "", PUSH, "allow", "ask"),
        (ALLOW_PUSH, ALLOW_PUSH + NO_CURL, CURL, "allow", "deny"),
        (ALLOW_PUSH, "// all new\n" + NO_CURL, PUSH, "allow", "ask"),
    ],
)
def test_what_tightens_holds_at_once(
    files: Files, before: str, after: str, command: str, was: str, then: str
) -> None:
    files.write(before)
    policies = files.policies()
    running = policies.for_task()
    assert files.says(running, command) == was
    files.write(after)
    change = policies.look()
    assert change is not None
    assert "mine.cedar" in change.diff
    assert files.says(policies.for_task(), command) == then
    assert files.says(policies.tightened(running), command) == then


@pytest.mark.parametrize(
    ("before", "after", "command", "stays", "accepted"),
    [
        ("", ALLOW_PUSH, PUSH, "ask", "allow"),
        (NO_CURL, "", CURL, "deny", "allow"),
        (ASK_MAKE, "", MAKE, "ask", "allow"),
        (NO_CURL, ALLOW_PUSH, CURL, "deny", "allow"),
        (
            ASK_MAKE,
            ASK_MAKE.replace('@ask("runs make")', '@description("make goes on")'),
            MAKE, "ask", "allow",
        ),
    ],
)  # fmt: skip
def test_what_loosens_waits_for_the_person(
    files: Files, before: str, after: str, command: str, stays: str, accepted: str
) -> None:
    files.write(before)
    policies = files.policies()
    running = policies.for_task()
    files.write(after)
    change = policies.look()
    assert change is not None
    assert change.loosens
    assert files.says(policies.for_task(), command) == stays
    assert files.says(files.policies().for_task(), command) == stays  # also after a new start
    policies.accept(change.digest)
    assert files.says(policies.for_task(), command) == accepted
    assert files.says(files.policies().for_task(), command) == accepted
    assert files.says(policies.tightened(running), command) == stays  # it began before


def test_a_change_of_both_kinds_is_taken_apart(files: Files) -> None:
    files.write(ALLOW_PUSH.replace("push", "install"))
    policies = files.policies()
    files.write(NO_CURL + ALLOW_PUSH)
    change = policies.look()
    assert change is not None
    assert [line for line in change.loosens if "pushes go on" in line]
    engine = policies.for_task()
    assert files.says(engine, CURL) == "deny"
    assert files.says(engine, PUSH) == "ask"


def test_what_says_the_same_is_no_change(files: Files) -> None:
    files.write(ALLOW_PUSH + NO_CURL)
    policies = files.policies()
    files.write("// moved\n" + NO_CURL.replace("mine/curl", "mine/no-curl"))
    files.write(
        ALLOW_PUSH.replace(" ", "  ").replace('"pushes  go  on"', '"pushes go on"'), "z.cedar"
    )
    change = policies.look()
    assert change is not None
    assert change.loosens == ()
    assert policies.as_accepted()
    assert files.says(policies.for_task(), PUSH) == "allow"


def test_an_id_that_is_used_again_does_not_stop_what_tightens(files: Files) -> None:
    files.write(NO_CURL)
    policies = files.policies()
    files.write(NO_CURL.replace('Program::"curl"', 'Program::"make"'))
    assert policies.look() is not None
    engine = policies.for_task()
    assert (files.says(engine, MAKE), files.says(engine, CURL)) == ("deny", "deny")


def test_files_that_cannot_be_used_change_nothing(files: Files) -> None:
    files.write(NO_CURL)
    policies = files.policies()
    files.write("permit (principal, action")
    with pytest.raises(PolicyError, match=r"mine\.cedar:1"):
        policies.look()
    assert files.says(policies.for_task(), CURL) == "deny"


def test_only_what_was_shown_is_accepted(files: Files) -> None:
    policies = files.policies()
    files.write(ALLOW_PUSH)
    shown = policies.look()
    assert shown is not None
    files.write(ALLOW_PUSH + ALLOW_PUSH.replace("push", "install"))
    with pytest.raises(NotFound, match="not those"):
        policies.accept(shown.digest)
    assert files.says(policies.for_task(), PUSH) == "ask"


def test_undoing_a_change_leaves_nothing_waiting(files: Files) -> None:
    files.write(NO_CURL)
    policies = files.policies()
    files.write("")
    assert policies.look() is not None
    files.write(NO_CURL)
    assert policies.look() is not None
    assert policies.pending().loosens == ()
    assert policies.as_accepted()


@pytest.mark.parametrize(
    "pin", ["", "{", '{"files": [{"name": "x", "text": "permit", "layer": 1}]}']
)
def test_a_pin_that_cannot_be_used_accepts_nothing(files: Files, pin: str) -> None:
    files.write(ALLOW_PUSH + NO_CURL)
    files.pin.write_text(pin)
    policies = files.policies()
    assert policies.pending().loosens
    engine = policies.for_task()
    assert (files.says(engine, PUSH), files.says(engine, CURL)) == ("ask", "deny")


def test_a_projects_rules_hold_above_what_is_tightened(files: Files, tmp_path: Path) -> None:
    policies = files.policies()
    files.write(NO_CURL)
    policies.look()
    project = PolicySource("p", ASK_MAKE.replace("mine", "project"), Layer.PROJECT)
    engine = policies.for_task("strict", [project])
    assert (files.says(engine, CURL), files.says(engine, MAKE)) == ("deny", "ask")
    assert engine.policies[-1].layer is Layer.PROJECT
