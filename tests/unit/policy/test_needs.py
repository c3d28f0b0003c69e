"""What a project says it needs: a proposal, in force as accepted, and never more than it says."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import NotFound, PolicyError
from supervisor.model import Effect, Need, Outcome, Verb
from supervisor.needs import Needs
from supervisor.policy.engine import CedarEngine
from supervisor.policy.needs import digest, ends, keycard_needs, sources, words
from supervisor.policy.project import read_project
from supervisor.policy.source import Layer, PolicySource
from supervisor.ports import Budget
from tests.support.judging import situation

SHOP = Need("api.github.com", "/repos/acme/shop", ("read", "write"), 1800.0, "open a pull request")
AGE = 8 * 3600.0
STANDARD = CedarEngine.load("standard")


@cache
def engine_of(needs: tuple[Need, ...]) -> CedarEngine:
    return STANDARD.tightened(sources(needs, AGE))


def outcome(
    *needs: Need,
    method: str = "POST",
    path: str = "/repos/acme/shop/pulls",
    host: str = "api.github.com",
    credential: str = "github",
    left: float = AGE,
    unread: bool = False,
    graphql: str = "",
) -> Outcome:
    engine = engine_of(needs)
    effect = Effect(Verb.HTTP, host, {"method": method, "path": path, "graphql": graphql})
    told = replace(
        situation("/w"), credential=credential, unread=unread, budget=Budget(seconds=int(left))
    )
    return engine.decide([effect], told).outcome


def test_what_was_accepted_is_not_asked_about() -> None:
    assert outcome() is Outcome.ASK
    assert outcome(SHOP) is Outcome.ALLOW
    assert outcome(SHOP, path="/repos/acme/shop") is Outcome.ALLOW
    assert outcome(SHOP, method="GET") is Outcome.ALLOW


@pytest.mark.parametrize(
    "beyond",
    [
        {"path": "/repos/acme/shopping/pulls"},
        {"path": "/repos/acme"},
        {"path": "/repos/acme/shop/../../other/pulls"},
        {"path": "/repos/acme/shop/%2e%2E/other"},
        {"path": "/repos/acme/shop/..;/other"},
        {"path": "/repos/acme/shop/x\\..\\y"},
        {"method": "DELETE"},
        {"host": "api.github.com:8443"},
        {"host": "evil.example.com"},
        {"unread": True},
    ],
)
def test_beyond_it_everything_asks_as_before(beyond: dict[str, str | bool]) -> None:
    assert outcome(SHOP, **beyond) is Outcome.ASK  # type: ignore[arg-type]


def test_a_credential_is_released_for_nothing_else_without_a_question() -> None:
    assert outcome(method="GET", path="/user") is Outcome.ALLOW
    assert outcome(SHOP, method="GET", path="/user") is Outcome.ASK
    assert outcome(SHOP, method="GET", host="api.stripe.com") is Outcome.ASK
    assert outcome(SHOP, method="GET", host="api.stripe.com", credential="") is Outcome.ALLOW


def test_it_ends_with_its_lifetime() -> None:
    assert outcome(SHOP, left=AGE - 1799) is Outcome.ALLOW
    assert outcome(SHOP, left=AGE - 1800) is Outcome.ASK
    assert outcome(SHOP, method="GET", left=AGE - 1800) is Outcome.ASK
    assert ends([SHOP], "api.github.com", 100.0, 200.0) == 1900.0
    assert ends([SHOP], "api.github.com", 100.0, 1900.0) == float("inf")
    assert ends([SHOP], "h.test", 100.0, 200.0) == float("inf")


def test_without_verbs_it_only_says_where_and_allows_nothing() -> None:
    place = Need("api.github.com")
    assert outcome(place) is Outcome.ASK
    assert outcome(place, method="GET") is Outcome.ALLOW
    assert outcome(place, method="GET", host="api.stripe.com") is Outcome.ASK


def test_reading_knows_git_and_graphql() -> None:
    reads = Need("github.com", "/acme/shop", ("read",))
    fetch = "/acme/shop.git/git-upload-pack"
    assert outcome(reads, host="github.com", path=fetch) is Outcome.ALLOW
    push = "/acme/shop.git/git-receive-pack"
    assert outcome(reads, host="github.com", path=push) is Outcome.ASK
    api = Need("api.github.com", "/graphql", ("read",))
    assert outcome(api, path="/graphql", graphql="query") is Outcome.ALLOW
    assert outcome(api, path="/graphql", graphql="mutation") is Outcome.ASK
    assert outcome(api, path="/graphql", method="GET", graphql="mutation") is Outcome.ASK


def test_a_forbid_stays_whatever_was_accepted() -> None:
    metadata = Need("169.254.169.254", "", ("read",))
    assert outcome(metadata, method="GET", host="169.254.169.254") is Outcome.DENY


@given(host=st.from_regex(r"[a-z]{1,8}\.test", fullmatch=True), path=st.text(max_size=30),
       method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]))  # fmt: skip
def test_no_request_to_another_host_is_ever_allowed_by_it(
    host: str, path: str, method: str
) -> None:
    without = outcome(method=method, host=host, path=path)
    with_it = outcome(SHOP, method=method, host=host, path=path)
    assert with_it is (Outcome.ASK if without is Outcome.ALLOW else without)


# ── The file ────────────────────────────────────────────────────────────────────────────────


def project(tmp_path: Path, text: str) -> tuple[Need, ...]:
    (tmp_path / "taskpass.toml").write_text(text)
    return read_project(str(tmp_path)).needs


def test_the_file_is_read(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        """
[[needs]]
resource = "https://api.github.com/repos/acme/shop"
verbs = ["read", "write"]
lifetime = 30
why = "open a pull request"

[[needs]]
resource = "registry.npmjs.org:443"
verbs = ["GET"]

[[needs]]
resource = "https://gitlab.corp:8443/api/"
""",
    )
    assert found == (
        SHOP,
        Need("registry.npmjs.org", "", ("GET",)),
        Need("gitlab.corp:8443", "/api"),
    )
    assert words(SHOP) == (
        "api.github.com/repos/acme/shop  read, write, for 30 min: open a pull request"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("needs = 3", "needs is a list of tables"),
        ("[needs]\nresource = 'x'", "needs is a list of tables"),
        ("[[needs]]\nverbs = ['read']", "need 1: 'None' is no resource"),
        ("[[needs]]\nresource = 'http://h.test'", "'http://h.test' is no resource"),
        ("[[needs]]\nresource = 'https://u:p@h.test'", "is no resource"),
        ("[[needs]]\nresource = 'h.test/a/../b'", "is no resource"),
        ("[[needs]]\nresource = 'h.test/*'", "is no resource"),
        ("[[needs]]\nresource = 'h.test/a?b'", "is no resource"),
        ("[[needs]]\nresource = '*.test'", "is no resource"),
        ("[[needs]]\nresource = 'h.test/a\"b'", "is no resource"),
        ("[[needs]]\nresource = 'h.test'\nverbs = ['everything']", "verbs is a list of: read"),
        ("[[needs]]\nresource = 'h.test'\nlifetime = 0", "lifetime is minutes"),
        ("[[needs]]\nresource = 'h.test'\nlifetime = true", "lifetime is minutes"),
        ("[[needs]]\nresource = 'h.test'\nwhy = 3", "why is one line"),
        ("[[needs]]\nresource = 'h.test'\nhost = 'x'", "there is no host"),
        ("[[needs]]\nresource = 'h.test'\n" * 51, "more than 50"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(PolicyError) as caught:
        project(tmp_path, text)
    assert told in str(caught.value)
    assert "taskpass.toml" in str(caught.value)


def test_a_reason_plays_no_tricks_on_the_screen(tmp_path: Path) -> None:
    (need,) = project(tmp_path, '[[needs]]\nresource = "h.test"\nwhy = "a\\u001b[2Jb\\u202ec\\nd"')
    assert need.why == "a [2Jb c d"


def test_keycards_file_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "keycard.toml").write_text(
        """
[org]
id = "acme"
[[credentials.default]]
env_var = "GH_TOKEN"
resource = "https://api.github.com"
[[credentials.default]]
env_var = "OWN"
resource = "urn:acme:thing"
[[credentials.ci]]
resource = "https://api.stripe.com/v1"
"""
    )
    expected = (
        Need("api.github.com", why="keycard.toml, GH_TOKEN"),
        Need("api.stripe.com", "/v1", why="keycard.toml"),
    )
    assert read_project(str(tmp_path)).needs == expected
    assert project(tmp_path, "[[needs]]\nresource = 'h.test'") == (Need("h.test"), *expected)


@pytest.mark.parametrize(
    "text", ["", "[[credentials]]", "credentials = 3", "[credentials]\ndefault = 1", "[[", "\xff"]
)
def test_a_keycard_file_that_is_not_understood_asks_for_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "keycard.toml").write_bytes(text.encode("latin-1"))
    assert keycard_needs(str(tmp_path)) == ()


# ── What was accepted ───────────────────────────────────────────────────────────────────────


def test_an_answer_is_for_just_this_proposal_and_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "needs.json"
    needs = Needs(path)
    assert needs.accepted("/w", [SHOP]) == ()
    needs.answer("/w", [SHOP], digest([SHOP]), accepted=True)
    again = Needs(path)
    assert again.accepted("/w", [SHOP]) == (SHOP,)
    assert again.accepted("/other", [SHOP]) == ()
    for changed in (replace(SHOP, verbs=("delete",)), replace(SHOP, why="please")):
        assert again.accepted("/w", [changed]) == ()
        assert not again.answered("/w", [changed])
    assert again.accepted("/w", [SHOP, SHOP]) == ()
    assert again.withdraw("/w")
    assert not again.withdraw("/w")
    assert Needs(path).accepted("/w", [SHOP]) == ()


def test_no_is_an_answer_and_what_was_not_shown_is_not_accepted(tmp_path: Path) -> None:
    needs = Needs(tmp_path / "needs.json")
    needs.answer("/w", [SHOP], digest([SHOP]), accepted=False)
    assert needs.answered("/w", [SHOP])
    assert needs.accepted("/w", [SHOP]) == ()
    with pytest.raises(NotFound, match="not those that were shown"):
        needs.answer("/w", [SHOP], digest([replace(SHOP, why="x")]), accepted=True)
    with pytest.raises(NotFound):
        needs.answer("/w", [], "", accepted=True)


@pytest.mark.parametrize("content", [b"", b"{}x", b'{"/w": 3}', b'{"/w": {"digest": "x"}}'])
def test_a_file_of_answers_that_cannot_be_used_accepts_nothing(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "needs.json"
    path.write_bytes(content)
    assert Needs(path).accepted("/w", [SHOP]) == ()


def test_what_the_person_tightens_later_leaves_the_rest_of_it() -> None:
    forbid = 'forbid (principal, action == Action::"http", resource) when {{ {} }};\n'
    elsewhere = PolicySource("own.cedar", forbid.format('context.host == "h.test"'), Layer.USER)
    here = PolicySource("own.cedar", forbid.format('context.method == "POST"'), Layer.USER)
    effect = Effect(Verb.HTTP, "api.github.com", {"method": "POST", "path": SHOP.path})
    told = replace(situation("/w"), credential="github", budget=Budget(seconds=int(AGE)))
    engine = engine_of((SHOP,))
    assert engine.tightened_by([elsewhere]).decide([effect], told).outcome is Outcome.ALLOW
    assert engine.tightened_by([here]).decide([effect], told).outcome is Outcome.DENY
