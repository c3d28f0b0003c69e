"""The preset `standard` over typed effects, however a command led to them."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from supervisor.effects.files import Place, file_effects
from supervisor.model import Effect, Outcome, Risk, Tier, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.files import PRESETS
from tests.support.judging import situation

ALLOW, ASK, DENY = Outcome.ALLOW, Outcome.ASK, Outcome.DENY
PLACE = Place("/work/project", "/home/ana")


@cache
def engine(preset: str) -> CedarEngine:
    return CedarEngine.load(preset)


def outcome(effect: Effect, tier: Tier = Tier.A, preset: str = "standard") -> Outcome:
    return engine(preset).decide([effect], situation(PLACE.workspace, tier)).outcome


def both(effect: Effect) -> tuple[Outcome, Outcome]:
    """Contained, uncontained."""
    return outcome(effect), outcome(effect, Tier.UNCONTAINED)


def run(**told: Any) -> Effect:
    return Effect(Verb.RUN, "tool", {"known": True, "uninspectable": False} | told)


@pytest.mark.parametrize(
    ("effect", "contained", "uncontained"),
    [
        (run(), ALLOW, ALLOW),
        (run(known=False), ALLOW, ASK),
        (run(uninspectable=True), ALLOW, ASK),
        (run(act="project"), ALLOW, ASK),
        (run(act="project", arguments="test tests/test_deploy.py"), ALLOW, ASK),
        (run(act="project", arguments="run deploy"), ASK, ASK),
        (run(act="project", arguments="scripts/deploy.sh"), ASK, ASK),
        (run(act="project", arguments="publish --dry-run"), ALLOW, ASK),
        (run(act="project", arguments="lint ci/deploy.yml"), ALLOW, ASK),
        (run(act="project", program="migrate-staging.sh"), ASK, ASK),
        (run(act="project", program="migrate.sh", arguments="up 2"), ALLOW, ASK),
        (run(act="project", arguments="build --release"), ALLOW, ASK),
        (run(act="update"), ALLOW, ASK),
        (run(act="discard"), ALLOW, ASK),
        (run(act="interactive"), ALLOW, ASK),
        (run(act="listen"), ALLOW, ASK),
        (run(act="signal"), ALLOW, ASK),
        (run(act="signal", arguments="-f taskpass"), DENY, DENY),
        (run(act="install"), ASK, ASK),
        (run(act="containers"), ASK, ASK),
        (run(act="device"), ASK, ASK),
        (run(act="system"), ASK, ASK),
        *(
            (run(act=act), DENY, DENY)
            for act in (
                *("reveal", "privilege", "persist", "terminal", "supervisor", "debug", "settings"),
                "an act that no rule knows",
            )
        ),
        (run(source="download"), DENY, DENY),
        (run(text="echo http://169.254.169.254/"), DENY, DENY),
    ],
)
def test_running(effect: Effect, contained: Outcome, uncontained: Outcome) -> None:
    assert both(effect) == (contained, uncontained)


@pytest.mark.parametrize(
    ("verb", "path", "contained", "uncontained"),
    [
        (Verb.READ, "src/a.py", ALLOW, ALLOW),
        (Verb.READ, "/usr/share/dict/words", ALLOW, ALLOW),
        (Verb.READ, "/etc/passwd", ALLOW, ALLOW),
        (Verb.READ, "/srv/data", ALLOW, ASK),
        (Verb.READ, "/home/ana/notes", ASK, ASK),
        (Verb.READ, "/home/ana/.cache/x", ALLOW, ALLOW),
        (Verb.READ, "/home/ana/.ssh/config", DENY, DENY),
        (Verb.READ, ".env", DENY, DENY),
        (Verb.READ, "/proc/1/environ", DENY, DENY),
        (Verb.READ, ".github/workflows/ci.yml", ALLOW, ALLOW),
        (Verb.WRITE, "src/a.py", ALLOW, ALLOW),
        (Verb.WRITE, "/tmp/x", ALLOW, ALLOW),
        (Verb.WRITE, "/srv/data", ASK, ASK),
        (Verb.WRITE, ".github/workflows/ci.yml", ASK, ASK),
        (Verb.WRITE, ".cargo/config.toml", ASK, ASK),
        (Verb.WRITE, ".git/hooks/pre-commit", DENY, DENY),
        (Verb.WRITE, ".git/config", DENY, DENY),
        (Verb.WRITE, "/home/ana/.bashrc", DENY, DENY),
        (Verb.WRITE, ".claude/settings.json", DENY, DENY),
        (Verb.WRITE, "taskpass.toml", DENY, DENY),
        (Verb.WRITE, "/dev/sda", DENY, DENY),
        (Verb.DELETE, "src/a.py", ALLOW, ALLOW),
        (Verb.DELETE, "/srv/data", DENY, DENY),
        (Verb.DELETE, ".", DENY, DENY),
        (Verb.DELETE, ".git", DENY, DENY),
    ],
)
def test_files(verb: Verb, path: str, contained: Outcome, uncontained: Outcome) -> None:
    for effect in file_effects(verb, path, PLACE.workspace, PLACE):
        assert both(effect) == (contained, uncontained)


def test_deleting_a_directory_with_all_below_it_asks_where_nothing_contains_it() -> None:
    (plain,) = file_effects(Verb.DELETE, "build", PLACE.workspace, PLACE)
    cleared = Effect(plain.verb, plain.resource, {**plain.attributes, "clear": True})
    assert both(cleared) == (ALLOW, ASK)


@pytest.mark.parametrize(
    ("label", "content", "expected"),
    [
        ("ci", "plain", ALLOW),
        ("ci", "sensitive", ASK),
        ("ci", "unknown", ASK),
        ("ci", "outward", DENY),
        ("executes", "plain", ASK),
        ("executes", "outward", DENY),
        ("", "outward", ALLOW),
    ],
)
def test_what_is_written_counts_where_it_runs_by_itself(
    label: str, content: str, expected: Outcome
) -> None:
    told = {"inside": True, "home": False, "label": label, "content": content}
    assert both(Effect(Verb.WRITE, "/work/project/x", told)) == (expected, expected)


def pushed(**told: Any) -> Effect:
    plain = dict.fromkeys(("force", "checked", "delete", "protected", "several", "foreign"), False)
    return Effect(Verb.PUSH, "origin fix", plain | {"remote": "origin", "ref": "fix"} | told)


@pytest.mark.parametrize(
    ("effect", "expected", "risk"),
    [
        (pushed(), ASK, Risk.MEDIUM),
        (pushed(force=True), ASK, Risk.HIGH),
        (pushed(force=True, checked=True), ASK, Risk.MEDIUM),
        (pushed(protected=True), ASK, Risk.HIGH),
        (pushed(several=True), ASK, Risk.HIGH),
        (pushed(delete=True), ASK, Risk.HIGH),
        (pushed(foreign=True), DENY, Risk.LOW),
        (pushed(protected=True, force=True), DENY, Risk.LOW),
        (pushed(protected=True, force=True, checked=True), DENY, Risk.LOW),
        (pushed(protected=True, delete=True), DENY, Risk.LOW),
        (Effect(Verb.PUSH, "origin fix"), DENY, Risk.LOW),
        (Effect(Verb.INSTALL, "npm", {"manager": "npm", "package": "x"}), ASK, Risk.MEDIUM),
        (Effect(Verb.OPERATE, "github pr view", {"system": "github", "degree": "read"}), ALLOW,
         Risk.LOW),
        (Effect(Verb.OPERATE, "aws s3 ls", {"system": "aws", "degree": "read"}), ASK, Risk.MEDIUM),
        (Effect(Verb.OPERATE, "github pr create", {"system": "github", "degree": "post"}), ASK,
         Risk.MEDIUM),
        (Effect(Verb.OPERATE, "x", {"system": "github", "degree": "change"}), ASK, Risk.HIGH),
        (Effect(Verb.OPERATE, "x", {"system": "npm", "degree": "publish"}), ASK, Risk.HIGH),
        (Effect(Verb.OPERATE, "x", {"system": "github"}), ASK, Risk.HIGH),
        (Effect(Verb.OPERATE, "x", {"system": "github", "degree": "odd"}), DENY, Risk.LOW),
        (Effect(Verb.MCP, "a.get_x", {"reads": True}), ALLOW, Risk.LOW),
        (Effect(Verb.MCP, "a.x"), ASK, Risk.MEDIUM),
    ],
)  # fmt: skip
def test_what_leaves_the_machine(effect: Effect, expected: Outcome, risk: Risk) -> None:
    for tier in Tier:
        decision = engine("standard").decide([effect], situation(PLACE.workspace, tier))
        assert (decision.outcome, decision.risk) == (expected, risk)


@pytest.mark.parametrize(
    ("statement", "remote", "contained", "uncontained"),
    [
        ("select", False, ALLOW, ALLOW),
        ("select", True, ASK, ASK),
        ("update", False, ALLOW, ASK),
        ("update", True, ASK, ASK),
        ("drop", False, ALLOW, ASK),
        ("drop", True, ASK, ASK),
        ("grant", False, ASK, ASK),
        ("other", False, ALLOW, ASK),
        ("other", True, ASK, ASK),
    ],
)
def test_databases(statement: str, remote: bool, contained: Outcome, uncontained: Outcome) -> None:
    effect = Effect(Verb.SQL, "", {"statement": statement, "remote": remote})
    assert both(effect) == (contained, uncontained)


@pytest.mark.parametrize(
    ("method", "host", "expected"),
    [
        ("POST", "transfer.sh", DENY),
        ("PUT", "x.webhook.site", DENY),
        ("POST", "nottransfer.sh", ASK),
        ("GET", "pastebin.com", ALLOW),
    ],
)
def test_public_places_to_leave_data(method: str, host: str, expected: Outcome) -> None:
    assert both(Effect(Verb.HTTP, host, {"method": method, "path": "/"})) == (expected, expected)
    assert outcome(Effect(Verb.CONNECT, f"{host}:443")) is (DENY if method == "PUT" else DENY if
                                                            host in {"transfer.sh", "pastebin.com"}
                                                            else ASK)  # fmt: skip


def test_a_local_cluster_is_the_tasks_own_only_where_it_is_contained() -> None:
    told = {"system": "kubernetes", "degree": "change", "target": "local"}
    assert both(Effect(Verb.OPERATE, "kubernetes apply", told)) == (ALLOW, ASK)


def test_a_browser_that_the_task_drives_goes_on_only_contained() -> None:
    effect = Effect(Verb.MCP, "playwright.browser_click", {"browser": True})
    assert both(effect) == (ALLOW, ASK)


def test_strict_only_tightens() -> None:
    assert set(PRESETS) == {"standard", "strict"}
    order = [ALLOW, ASK, DENY]
    effects = [
        run(), run(known=False), run(act="project"), run(act="reveal"), pushed(),
        *file_effects(Verb.WRITE, "/tmp/x", "/", PLACE),
        *file_effects(Verb.READ, "a", PLACE.workspace, PLACE),
        Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/"}),
        Effect(Verb.MCP, "a.get_x", {"reads": True}),
    ]  # fmt: skip
    for effect in effects:
        for tier in Tier:
            assert order.index(outcome(effect, tier, "strict")) >= order.index(
                outcome(effect, tier)
            )
    assert outcome(run(known=False), Tier.A, "strict") is ASK
    assert outcome(run(), Tier.A, "strict") is ALLOW


def test_strict_releases_no_stored_credential_uncontained() -> None:
    get = Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/"})
    for tier, expected in ((Tier.A, ASK), (Tier.B, ASK), (Tier.UNCONTAINED, DENY)):
        where = situation(PLACE.workspace, tier, credential="api")
        assert engine("strict").decide([get], where).outcome is expected


def test_only_what_is_read_and_known_has_a_lease_of_its_own() -> None:
    def lease(*effects: Effect, tier: Tier = Tier.A) -> bool:
        return engine("standard").decide(effects, situation(PLACE.workspace, tier)).lease

    assert lease(run())
    assert not lease(run(), run(known=False))
    assert not lease(run(uninspectable=True))
    assert not lease(run(uninspectable=True), tier=Tier.B)
    assert lease(run(uninspectable=True), tier=Tier.UNCONTAINED)  # a person was asked
