"""What one answer "for this task" covers."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.approvals.rules import classes_of
from supervisor.model import Effect, Risk, Verb


def run(program: str = "tool", **told: Any) -> Effect:
    return Effect(Verb.RUN, program, {"act": "", "subcommand": "", "uninspectable": False} | told)


def push(ref: str, **told: Any) -> Effect:
    return Effect(Verb.PUSH, f"origin {ref}", {"remote": "origin", "url": "u", "ref": ref} | told)


def install(package: str) -> Effect:
    return Effect(Verb.INSTALL, "npm", {"manager": "npm", "package": package})


def operate(operation: str, degree: str = "post", target: str = "") -> Effect:
    told = {"system": "github", "operation": operation, "degree": degree, "target": target}
    return Effect(Verb.OPERATE, f"github {operation}", told)


@pytest.mark.parametrize(
    ("approved", "later"),
    [
        (run("make", act="project", text="make a"), run("npm", act="project", text="npm test")),
        (run(text="tool a"), run(text="tool b")),
        (push("fix"), push("fix-2", force=True, checked=True)),
        (install("a"), install("a")),
        (operate("pr create"), operate("pr edit", target="7")),
    ],
)
def test_the_same_kind_is_covered(approved: Effect, later: Effect) -> None:
    assert classes_of([approved], Risk.MEDIUM) == classes_of([later], Risk.MEDIUM)


@pytest.mark.parametrize(
    ("approved", "later"),
    [
        (run("make", act="project"), run("make")),
        (run("a"), run("b")),
        (run("git", subcommand="add"), run("git", subcommand="rm")),
        (run(uninspectable=True, text="$(a)"), run(uninspectable=True, text="$(b)")),
        (run(act="containers", text="x a"), run(act="containers", text="x b")),
        (push("fix"), Effect(Verb.PUSH, "mirror fix", {"remote": "mirror", "url": "v"})),
        (install("a"), install("b")),
        (operate("pr create"), operate("issue comment")),
        (operate("pr create"), operate("pr merge", "change")),
        (operate("issue comment", target="1"), operate("issue comment", target="2")),
        (Effect(Verb.WRITE, "/a", {"content": "plain"}),
         Effect(Verb.WRITE, "/a", {"content": "sensitive"})),
        (Effect(Verb.DELETE, "/a", {"clear": False}), Effect(Verb.DELETE, "/a", {"clear": True})),
        (Effect(Verb.SQL, "", {"statement": "select", "remote": True}),
         Effect(Verb.SQL, "", {"statement": "update", "remote": True})),
    ],
)  # fmt: skip
def test_another_kind_is_not(approved: Effect, later: Effect) -> None:
    assert classes_of([approved], Risk.MEDIUM) != classes_of([later], Risk.MEDIUM)


@pytest.mark.parametrize(
    ("approved", "later"),
    [
        (push("main"), push("release")),
        (operate("pr create", target="a"), operate("pr create", target="b")),
        (run("make", act="project", text="make deploy"), run("make", act="project", text="make x")),
    ],
)
def test_of_high_risk_only_exactly_this_is_covered(approved: Effect, later: Effect) -> None:
    assert classes_of([approved], Risk.HIGH) == classes_of([approved], Risk.HIGH)
    assert classes_of([approved], Risk.HIGH) != classes_of([later], Risk.HIGH)


def test_a_command_that_could_not_be_read_is_never_covered() -> None:
    unread = Effect(Verb.OTHER, "unreadable command", {"kind": "shell"})
    assert not classes_of([unread, run()], Risk.MEDIUM)
