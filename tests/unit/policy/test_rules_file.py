"""Answers for good: the narrowest rule, never for what runs whatever it is given."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from supervisor.errors import PolicyError
from supervisor.model import Effect, Outcome, Risk, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.rules_file import append, load_rules, propose
from supervisor.policy.source import Layer, PolicySource
from tests.support.judging import question, situation

ASK = '@id("base") @ask("?") permit (principal, action, resource);'
ASKS = PolicySource("base", ASK, Layer.PRESET)

POST = Effect(Verb.HTTP, "api.example.com", {"method": "POST", "path": "/issues"})
INSTALL = Effect(
    Verb.INSTALL, "npm", {"manager": "npm", "package": "left-pad", "everywhere": False}
)
TOUCHED = {"inside": False, "home": True, "temporary": False, "root": False, "clear": False}
WRITE = Effect(Verb.WRITE, "/home/ana/notes/a.md", {"name": "a.md", **TOUCHED})


def run(argv0: str, arguments: str = "", **changes: str | bool) -> Effect:
    told: dict[str, str | bool | int] = {
        "program": argv0.rpartition("/")[2], "argv0": argv0, "arguments": arguments,
        "text": f"{argv0} {arguments}", "known": True, "uninspectable": False, "act": "project",
        "source": "", "subcommand": "", "why": "",
    }  # fmt: skip
    return Effect(Verb.RUN, argv0.rpartition("/")[2], told | changes)


def outcome(path: Path, effect: Effect, credential: str = "") -> Outcome:
    engine = CedarEngine([ASKS, load_rules(path)])
    return engine.decide([effect], situation("/w", credential=credential)).outcome


def keep(path: Path, *effects: Effect, credential: str = "") -> None:
    rule = propose(question(effects=effects, credential=credential), effects)
    assert rule is not None
    append(path, rule, "ana@laptop", 1_700_000_000.0)


@pytest.mark.parametrize(
    ("kept", "others"),
    [
        (
            POST,
            [
                Effect(Verb.HTTP, "api.example.com", {"method": "DELETE", "path": "/issues"}),
                Effect(Verb.HTTP, "api.example.com", {"method": "POST", "path": "/keys"}),
                Effect(Verb.HTTP, "evil.example.com", {"method": "POST", "path": "/issues"}),
            ],
        ),
        (INSTALL, [Effect(Verb.INSTALL, "npm", {**INSTALL.attributes, "package": "right-pad"})]),
        (WRITE, [Effect(Verb.WRITE, "/home/ana/notes/b.md", {"name": "b.md", **TOUCHED}),
                 Effect(Verb.DELETE, "/home/ana/notes/a.md", {"name": "a.md", **TOUCHED})]),
        (run("tox", "-e py"), [run("tox", "-e py3"), run("./tox", "-e py"), run("tox"),
                               run("tox", "-e py", uninspectable=True)]),
        (Effect(Verb.MCP, "github.create_issue", {"server": "github", "tool": "create_issue"}),
         [Effect(Verb.MCP, "github.delete_repo", {"server": "github", "tool": "delete_repo"})]),
    ],
    ids=lambda value: getattr(value, "label", ""),
)  # fmt: skip
def test_a_rule_covers_what_was_asked_and_nothing_more(
    tmp_path: Path, kept: Effect, others: list[Effect]
) -> None:
    path = tmp_path / "rules.toml"
    assert outcome(path, kept) is Outcome.ASK
    keep(path, kept)
    assert outcome(path, kept) is Outcome.ALLOW
    assert [outcome(path, other) for other in others] == [Outcome.ASK] * len(others)


def test_a_rule_is_for_its_credential(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    keep(path, POST, credential="gh")
    assert outcome(path, POST, "gh") is Outcome.ALLOW
    assert outcome(path, POST, "other") is Outcome.ASK
    assert outcome(path, POST) is Outcome.ASK


@pytest.mark.parametrize(
    "effect",
    [
        *(run(name) for name in ("bash", "sh", "/bin/zsh", "python3", "python3.12", "node", "env",
                                 "sudo", "xargs", "timeout", "busybox", "npx", "ssh", "docker")),
        run("bash", "-c 'make test'"),
        run("python3", "x.py", source="file"),
        run("./deploy.sh"),
        run("mytool", known=False),
        run("git", "log", uninspectable=True),
        Effect(Verb.OTHER, "LaunchMissiles", {"kind": "other"}),
        Effect(Verb.INSTALL, "npm", {"manager": "npm", "package": "", "everywhere": False}),
        Effect(Verb.HTTP, "api.example.com", {"method": "POST"}),
        Effect(Verb.DELETE, "/home/ana/x", {"name": "x", **TOUCHED, "clear": True}),
        Effect(Verb.CONNECT, ""),
    ],
    ids=lambda effect: effect.label + str(effect.attributes.get("arguments", "")),
)  # fmt: skip
def test_what_could_be_anything_is_never_kept(effect: Effect) -> None:
    assert propose(question(), [effect]) is None
    assert propose(question(), [POST, effect]) is None


def test_high_risk_and_nothing_are_never_kept() -> None:
    assert propose(question(risk=Risk.HIGH), [POST]) is None
    assert propose(question(), []) is None


def test_who_and_when_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    keep(path, POST)
    keep(path, INSTALL)
    first, second = tomllib.loads(path.read_text())["rule"]
    assert (first["by"], first["at"].year) == ("ana@laptop", 2023)
    assert second["allow"][0]["attributes"]["package"] == "left-pad"
    assert path.stat().st_mode & 0o777 == 0o600
    own = [p for p in CedarEngine.load(user_rules=path).policies if p.layer is Layer.USER]
    begins = [n for n, line in enumerate(path.read_text().splitlines(), 1) if line == "[[rule]]"]
    assert [policy.location for policy in own] == [f"{path}:{line}" for line in begins]


def test_no_text_of_an_agent_leaves_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    tricky = 'x" || true }; permit (principal, action, resource); //\n\u202e'
    keep(path, Effect(Verb.MCP, f"s.{tricky}", {"server": "s", "tool": tricky}))
    assert outcome(path, POST) is Outcome.ASK
    assert len(CedarEngine([load_rules(path)]).policies) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", r"rules\.toml: Expected"),
        ("other = 1", "there is no 'other'"),
        ("[[rule]]\nby = 'a'", "rule 1"),
        ("[[rule]]\n[[rule.allow]]\neffect = 'fly'\nresource = 'x'", "no effect 'fly'"),
        ("[[rule]]\n[[rule.allow]]\neffect = 'http'\nresource = 'x'", "method, path"),
        (
            "[[rule]]\n[[rule.allow]]\neffect = 'run'\nresource = 'x'\nattributes = {act = ''}",
            "argv0",
        ),
        ("[[rule]]\n[[rule.allow]]\neffect = 'read'\nresource = ''", "resource"),
    ],
)
def test_a_wrong_file_is_refused_and_not_written(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=says):
        load_rules(path)
    rule = propose(question(), [POST])
    assert rule is not None
    with pytest.raises(PolicyError):
        append(path, rule, "ana", 0.0)
    assert path.read_text() == text
