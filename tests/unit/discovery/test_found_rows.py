"""Each log-in as a person reads it: what it is, what is done about it, what stays open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.cli.found_rows import rank, rows
from supervisor.discovery import Found, Place, Way, discover
from supervisor.discovery.exposure import View
from supervisor.discovery.offers import offer
from supervisor.model import Tier
from tui.first_run import Row

PLACE = Place("/home/ana", "/home/ana/shop")
A = View(Tier.A, "standard", "/home/ana/shop", masked=frozenset({"/home/ana/shop/.env"}))
OPEN = View(Tier.UNCONTAINED, "off", "/home/ana/shop")
NOW = 1_790_000_000.0

GH = Found("gh", "/home/ana/.config/gh/hosts.yml", "ana, OAuth token", Way.REFERENCE,
           hosts=("github.com", "api.github.com"), since=NOW - 12.5 * 86400,
           reference="cmd://gh auth token --hostname github.com")  # fmt: skip
DOTENV = Found(
    "dotenv",
    "/home/ana/shop/.env",
    "STRIPE_KEY, JWT",
    Way.IMPORT,
    hosts=("api.stripe.com",),
    names=("STRIPE_KEY",),
    stays=("JWT: it signs",),
)
KEY = Found("ssh", "/home/ana/.ssh/id", "no passphrase")
SHELL = Found("environment", "", "NPM_TOKEN", names=("NPM_TOKEN",))


def row(found: Found, view: View) -> Row:
    (one,) = rows([found], view, PLACE, NOW)
    return one


def test_what_can_be_lent_is_chosen_and_says_how() -> None:
    shown = row(GH, A)
    assert (shown.title, shown.about) == ("github.com", "gh · ana, OAuth token · 12 days")
    assert (shown.does, shown.chosen, shown.exposed) == ("lent by use, asked of gh", True, False)
    assert "nothing is copied" in shown.more
    assert "api.github.com" in shown.more
    shown = row(DOTENV, A)
    assert (shown.title, shown.does, shown.chosen) == (".env", "into the vault", True)
    assert "What stays in it: JWT: it signs." in shown.more


def test_what_is_hidden_says_by_what_and_cannot_be_chosen() -> None:
    shown = row(KEY, A)
    assert (shown.title, shown.does) == ("~/.ssh/id", "hidden in tier A")
    assert (shown.choosable, shown.chosen, shown.exposed) == (False, False, False)
    assert row(SHELL, A).does == "not handed on"


def test_what_stays_readable_is_marked_also_when_it_is_lent() -> None:
    for found in (GH, KEY, SHELL):
        assert row(found, OPEN).exposed
    assert "stays readable" in row(GH, OPEN).does
    # What moves to the vault is readable no more; what stays of the file is.
    assert row(DOTENV, OPEN).exposed
    whole = Found("dotenv", DOTENV.path, "K", Way.IMPORT, names=("K",))
    assert not row(whole, OPEN).exposed


def test_what_can_be_lent_comes_first_then_what_stays_open() -> None:
    masked = View(Tier.A, "standard", "/home/ana/shop", shown=("/home/ana/.ssh/id",))
    found = [SHELL, KEY, DOTENV]
    assert sorted(found, key=lambda each: rank(each, masked)) == [DOTENV, KEY, SHELL]


@pytest.mark.parametrize(
    ("expires", "told"), [(NOW - 1, "expired"), (NOW + 1, "expires by itself"), (0.0, "")]
)
def test_an_end_is_told(expires: float, told: str) -> None:
    found = Found("aws", "/home/ana/.aws/sso/cache/a.json", "", expires=expires)
    assert row(found, A).about == f"aws · {told}".rstrip(" ·")


def test_a_host_of_ones_own_is_offered_under_a_name_of_its_own() -> None:
    own = offer(Found("gh", "/h", "", Way.REFERENCE, hosts=("ghe.acme.com",), reference="cmd://gh"))
    assert own is not None
    assert (own.name, own.hosts, own.env, own.forge) == (
        "github-ghe.acme.com",
        ("ghe.acme.com",),
        "GH_ENTERPRISE_TOKEN",
        "github",
    )
    assert offer(KEY) is None


def test_a_variable_of_the_terminal_can_be_lent_under_its_own_name() -> None:
    environ = {"STRIPE_API_KEY": "sk_test_51H8f2KLkjh3498fjkdsfh349f", "MY_TOKEN": "0123456789abc"}
    place = Place("/nowhere", environ=environ)
    known, rest = discover(place)
    assert (known.way, known.reference) == (Way.REFERENCE, "env://STRIPE_API_KEY")
    assert (rest.way, rest.names) == (Way.HIDE, ("MY_TOKEN",))
    lent = offer(known)
    assert lent is not None
    assert (lent.name, lent.env) == ("stripe-api-key", "STRIPE_API_KEY")
    assert "api.stripe.com" in lent.hosts
    shown, _ = rows([known, rest], A, place, NOW)
    assert (shown.title, shown.chosen) == ("$STRIPE_API_KEY", True)
    assert (shown.does, shown.exposed) == ("lent by use, not passed on", False)


def test_of_two_log_ins_to_a_host_the_first_is_chosen() -> None:
    variable = replace(GH, kind="environment", path="", names=("GH_TOKEN",), reference="env://X")
    shown = rows([GH, variable, DOTENV], A, PLACE, NOW)
    assert [each.chosen for each in shown] == [True, False, True]
    assert [each.choosable for each in shown] == [True, True, True]
