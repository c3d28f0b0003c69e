"""Which variable opens which API, what stays and why, and what is taken for a secret."""

from __future__ import annotations

import tomllib
from importlib import resources

import pytest

from supervisor.imports.classify import classify, tokens_in
from supervisor.vault.specs import check
from tests.contract.vault_contract import github

HEX = "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"


@pytest.mark.parametrize(
    ("name", "value", "host"),
    [
        ("STRIPE_SECRET_KEY", "sk_live_4fz81kq90xvwpl27mncb", "api.stripe.com"),
        ("WHATEVER", "rk_test_4fz81kq90xvwpl27mncb", "api.stripe.com"),
        ("TOKEN", "ghp_abcdEFGH1234567890abcdEFGH1234567890", "api.github.com"),
        ("CLAUDE", "sk-ant-api03-abcdEFGH1234567890", "api.anthropic.com"),
        ("OPENAI_API_KEY", "sk-abcdEFGH1234567890abcd", "api.openai.com"),
        ("openai_api_key", "sk-abcdEFGH1234567890abcd", "api.openai.com"),
        ("SLACK", "xoxb-123456789012-abcdefGHIJ", "slack.com"),
        ("CLOUDFLARE_API_TOKEN", HEX, "api.cloudflare.com"),
        ("GH_TOKEN", HEX, "api.github.com"),
    ],
)
def test_a_known_key_goes_to_its_provider(name: str, value: str, host: str) -> None:
    found = classify(name, value)
    assert found.provider is not None
    assert host in found.provider.hosts
    assert found.secret


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("JWT_SECRET", "not-so-secret-words", "signs"),
        ("SECRET_KEY", HEX, "signs"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_" + HEX, "signs"),
        ("APP_KEY", "base64:" + HEX, "signs"),
        ("DEPLOY_PRIVATE_KEY", "-----BEGIN RSA PRIVATE KEY-----", "signs"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLB", "requests are signed with"),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMIK7MDENGbPxRfiCYzEXAMPL",
            "requests are signed with",
        ),
        ("DATABASE_URL", "postgres://app:hunter2@db.test/app", "password, of db.test"),
        ("DATABASE_URL", "postgres://app:hunter2@localhost/app", "password, of a local"),
        ("DB_PASSWORD", "hunter2", "no HTTP API"),
        ("PGPASSWORD", "correct horse", "no HTTP API"),
        ("SLACK_URL", "https://hooks.slack.com/services/T0/B0/x", "in the path"),
        ("TELEGRAM_BOT_TOKEN", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", "in the path"),
    ],
)
def test_secrets_that_no_request_carries_stay_and_say_why(name: str, value: str, says: str) -> None:
    found = classify(name, value)
    assert (found.provider, found.secret, found.asks) == (None, True, False)
    assert says in found.why


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "3000"), ("DEBUG", "true"), ("NODE_ENV", "production"), ("LOG_LEVEL", "info"),
        ("CACHE_KEY_TTL", "3600s"), ("TOKEN_EXPIRY", "15m"), ("DATA", "./x"), ("A_TOKEN", ""),
        ("API_URL", "http://localhost:8080"), ("API_URL", "https://api.acme.test/v1"),
        ("REDIS_URL", "redis://cache:6379/0"), ("ADMIN", "http://10.1.2.3/"),
        ("STRIPE_SECRET_KEY", "your-key-here"), ("GITHUB_TOKEN", "<token>"), ("T", "changeme"),
        ("NEXT_PUBLIC_STRIPE", "pk_live_4fz81kq90xvwpl27mncb"), ("GOOGLE_CLIENT_ID", HEX),
        ("SENTRY_DSN", "https://abc123@o1.ingest.sentry.io/1"), ("NAME", "Acme"),
        ("AUTHORS", "ana"), ("USE_AUTH", "yes"), ("HEADER", "Bearer ${API_TOKEN}"),
    ],
)  # fmt: skip
def test_ordinary_values_are_no_secrets(name: str, value: str) -> None:
    found = classify(name, value)
    assert (found.provider, found.secret) == (None, False), found.why


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACME_API_KEY", HEX), ("ACME_TOKEN", "pass phrase"), ("ACME_PASSWORD", "hunter2"),
        ("SHOP_SECRET", "correcthorsebatterystaple"), ("ANYTHING", "glsa_" + HEX),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_of_nobody_known_asks(name: str, value: str) -> None:
    found = classify(name, value)
    assert (found.provider, found.secret, found.asks) == (None, True, True)
    bound = classify(name, value, ("api.acme.test",))
    assert bound.provider is not None
    assert bound.provider.hosts == ("api.acme.test",)


def test_what_the_person_says_wins_but_a_header_that_is_known_is_kept() -> None:
    said = classify("CLAUDE", "sk-ant-api03-abcdEFGH1234567890", ("api.anthropic.com",)).provider
    assert said is not None
    assert said.header == "x-api-key"
    other = classify("CLAUDE", "sk-ant-api03-abcdEFGH1234567890", ("gateway.test",)).provider
    assert other is not None
    assert (other.hosts, other.header) == (("gateway.test",), "authorization")


def test_a_secret_in_a_comment_is_seen() -> None:
    assert tokens_in("# STRIPE=sk_live_4fz81kq90xvwpl27mncb (old)")
    assert tokens_in("#ghp_abcdEFGH1234567890abcdEFGH1234567890")
    assert not tokens_in("# the stripe key begins with sk_live_")


def test_every_provider_can_be_a_credential_and_says_where_it_is_documented() -> None:
    text = (resources.files("supervisor.imports") / "known.toml").read_text("utf-8")
    providers = tomllib.loads(text)["provider"]
    assert len({each["name"] for each in providers}) == len(providers)
    begins = [start for each in providers for start in each.get("begins", ())]
    assert len(set(begins)) == len(begins)
    for each in providers:
        check(
            github(
                hosts=tuple(each["hosts"]),
                header=each.get("header", "authorization"),
                scheme=each.get("scheme", "Bearer"),
            )
        )
        assert each["source"]
