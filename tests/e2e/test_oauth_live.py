"""A person signs in at a real OpenID provider, and a task reaches an API with tokens of that."""

from __future__ import annotations

import asyncio
import json
import re
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from tests.support.live import Install, wait_for
from tests.support.oidc_provider import OidcProvider
from tests.support.signing_in import SigningIn

ASKS = 'curl -sS -m 20 -H "Authorization: Bearer $TOKEN"'


@pytest.fixture
def company(install: Install, oidc_provider: OidcProvider) -> OidcProvider:
    """The provider, trusted by this install."""
    roots = install.root / "roots.pem"
    oidc_provider.authority.cert_pem.write_to_path(str(roots))
    install.configure(f'[network]\nextra_roots = "{roots}"\n')
    return oidc_provider


def words(company: OidcProvider, *more: str) -> tuple[str, ...]:
    credential = ("credential", "signin", "crm")
    return (*credential, "--issuer", company.issuer, "--host", company.host, "--env", "TOKEN",
            *more)  # fmt: skip


def exchanging(install: Install, company: OidcProvider, *more: str) -> None:
    """Sign in for tokens by exchange; the provider knows this install's agents."""
    company.let_act(json.loads(install.cli("credential", "jwks").stdout))
    signing = SigningIn(install, *words(company, "--client-id", "taskpass", "--exchange", *more))
    asyncio.run(company.browse(signing.page()))
    code, said = signing.end()
    assert code == 0, said


def in_task(install: Install, command: str) -> subprocess.CompletedProcess[str]:
    return install.cli("run", "--headless", "--", "sh", "-c", command)


def asked(company: OidcProvider, path: str) -> list[dict[str, Any]]:
    return [each for each in company.seen() if each["request"].endswith(path)]


def test_the_page_that_opens_asks_for_what_was_said_and_gives_nothing_away(
    install: Install, company: OidcProvider
) -> None:
    signing = SigningIn(install, *words(company, "--client-id", "taskpass", "--scope", "read"))
    page = urlsplit(signing.page())
    given = {name: values for name, values in parse_qs(page.query).items()}
    assert f"{page.scheme}://{page.netloc}{page.path}" == f"{company.issuer}/auth"
    assert all(len(values) == 1 for values in given.values())
    told = {name: values[0] for name, values in given.items()}
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/callback", told.pop("redirect_uri"))
    secret = [told.pop(name) for name in ("state", "nonce", "code_challenge")]
    assert all(len(each) == 43 for each in secret)
    assert len(set(secret)) == 3
    assert told == {
        "response_type": "code",
        "client_id": "taskpass",
        "code_challenge_method": "S256",
        "scope": "openid offline_access read",
        "prompt": "consent",
    }
    signing.process.terminate()
    signing.end()


def test_each_call_gets_a_token_of_its_own_that_the_provider_ends(
    install: Install, company: OidcProvider
) -> None:
    exchanging(install, company, "--details", "tool-call", "--read-scope", "read",
               "--scope", "read write", "--works-at", f"{company.api}/works")  # fmt: skip
    done = in_task(install, f"{ASKS} {company.api}/one; {ASKS} {company.api}/one/more")
    assert done.stdout.count('"hello":"ana"') == 2, done
    one, more = asked(company, "/one")[-1], asked(company, "/one/more")[-1]
    (started,) = install.records("task.started")
    # Four parts: the person, the agent in this task, the call, and what it may do.
    assert one["sub"] == "ana"
    assert one["act"]["sub"] == f"agent:generic/{started['task']}"
    assert one["txn"].startswith("c-")
    assert one["scope"] == "read"
    assert one["details"] == [
        {
            "type": "tool-call",
            "actions": ["http.get"],
            "locations": [company.issuer],
            "identifier": "/api/one",
        }
    ]
    assert more["bearer"] != one["bearer"]
    # The task is over: the provider itself takes neither any more.
    wait_for(lambda: len(install.records("lease.revoked")) == 2, "the provider's word")
    revoked = install.records("lease.revoked")
    assert [company.api_status(each["bearer"]) for each in (one, more)] == [401, 401]
    assert {(each["credential"], each["works"]) for each in revoked} == {("crm", "no")}
    # None of what it gave, refresh tokens included, lies anywhere in clear.
    kept = "".join(p.read_text("latin-1") for p in Path(install.root).rglob("*") if _ours(p))
    given = company.issued()
    assert one["bearer"] in given
    assert not [token for token in given if token in kept + done.stdout + done.stderr]


def _ours(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def test_a_revoked_task_loses_the_token_in_the_middle_of_its_call(
    install: Install, company: OidcProvider
) -> None:
    exchanging(install, company)
    running = install.popen(
        "run", "--headless", "--", "sh", "-c", f"{ASKS} {company.api}/held; sleep 60"
    )
    token = wait_for(lambda: asked(company, "/held"), "the use")[-1]["bearer"]
    wait_for(lambda: install.records("use.delivered"), "its record")
    assert company.api_status(token) == 200  # live, were it stolen
    install.cli("revoke", "1")
    running.communicate(timeout=20)
    (ended,) = wait_for(lambda: install.records("lease.revoked"), "the provider's word")
    assert company.api_status(token) == 401
    assert (ended["credential"], ended["issuer"]) == ("crm", "token-exchange")


def test_a_provider_that_ends_the_whole_sign_in_with_a_token_is_noticed_at_once(
    install: Install, company: OidcProvider
) -> None:
    signing = SigningIn(install, *words(company))  # it registers the client by itself
    asyncio.run(company.browse(signing.page()))
    asyncio.run(company.browse(signing.page(2)))
    code, said = signing.end()
    assert code == 0, said
    assert "ends the whole sign-in with any one token" in said
    assert "lives out its 510 s" in said
    # A token of the sign-in itself opens the provider's own userinfo; refreshed for each task.
    for _ in range(2):
        done = in_task(install, f"{ASKS} {company.issuer}/me")
        assert json.loads(done.stdout)["sub"] == "ana", done
    (listed,) = json.loads(install.cli("credential", "list", "--json").stdout)["credentials"]
    assert (listed["kill_mode"], listed["kill_bound"]) == ("verifier", 510)
    # Signed in again, the name is enough, and what was learnt stays: one page.
    again = SigningIn(install, "credential", "signin", "crm")
    asyncio.run(company.browse(again.page(3), login="dan"))
    code, said = again.end()
    assert code == 0, said
    assert "once more" not in said
    done = in_task(install, f"{ASKS} {company.issuer}/me")
    assert json.loads(done.stdout)["sub"] == "dan", done


def test_a_token_that_services_verify_by_themselves_is_said_to_live_on(
    install: Install, company: OidcProvider
) -> None:
    resource = f"{company.issuer}/jwt"
    signing = SigningIn(
        install, *words(company, "--client-id", "taskpass", "--scope", "read",
                        "--resource", resource),
    )  # fmt: skip
    asyncio.run(company.browse(signing.page()))
    code, said = signing.end()
    assert code == 0, said
    assert "lives out its 510 s" in said
    in_task(install, f"{ASKS} {company.api}/jwt")
    token = asked(company, "/jwt")[-1]["bearer"]
    # The task is over, and whoever looks at the signature alone still takes it: as it is shown.
    keys = jwt.PyJWKSet.from_dict(company.jwks())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=resource)
    assert (claims["sub"], claims["scope"]) == ("ana", "read")
    assert "crm" in install.cli("credential", "live").stdout


def test_by_a_code_on_another_device(install: Install, company: OidcProvider) -> None:
    signing = SigningIn(
        install, *words(company, "--client-id", "with-secret", "--client-secret", "--exchange",
                        "--device"),
        stdin="s+cret/of the client\n",
    )  # fmt: skip
    page = signing.line(r"Or open it with the code in it: (\S+)")
    asyncio.run(company.browse(page, login="bea"))
    code, said = signing.end()
    assert code == 0, said
    assert "as bea" in said
    assert not signing.opened.exists()
    company.let_act(json.loads(install.cli("credential", "jwks").stdout))
    done = in_task(install, f"{ASKS} {company.api}/device")
    assert '"hello":"bea"' in done.stdout, done
    # Forgotten here, it is ended there: nothing that came of it is good any more.
    assert "RefreshToken" in company.live("bea")
    removed = install.cli("credential", "remove", "crm")
    assert removed.returncode == 0, removed.stderr
    assert company.live("bea") == []


def test_who_says_no_in_the_browser_keeps_what_there_was(
    install: Install, company: OidcProvider
) -> None:
    signing = SigningIn(install, *words(company, "--client-id", "taskpass"))
    page = asyncio.run(company.browse(signing.page(), abort=True))
    assert "Not signed in" in page
    code, said = signing.end()
    assert code == 1
    assert "access_denied" in said
    assert "None yet" in install.cli("credential", "list").stdout


def test_tasks_tokens_and_records_name_the_person_who_signed_in(
    install: Install, company: OidcProvider
) -> None:
    install.cli("credential", "add", "ours", "--issuer", "local-jwt", "--host", company.host,
                "--env", "OURS")  # fmt: skip
    signing = SigningIn(install, "signin", "--issuer", company.issuer, "--client-id", "taskpass")
    assert parse_qs(urlsplit(signing.page()).query)["scope"] == ["openid email"]
    asyncio.run(company.browse(signing.page(), login="cleo"))
    code, said = signing.end()
    assert code == 0, said
    assert f"cleo@example.com, by {company.issuer} (oidc), until" in said
    in_task(install, f'curl -sS -H "Authorization: Bearer $OURS" {company.api}/ours')
    token = asked(company, "/ours")[-1]["bearer"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["sub_id"] == {"format": "iss_sub", "iss": company.issuer, "sub": "cleo"}
    (delivered,) = install.records("use.delivered")
    named = (delivered["user_evidence"], delivered["user_issuer"], delivered["user_subject"])
    assert named == ("oidc", company.issuer, "cleo")
    assert install.cli("signin").stdout == said.splitlines(True)[-1]
    out = install.cli("signout")
    assert out.stdout.endswith("the account of this machine (os)\n"), out
    in_task(install, "true")
    started = install.records("task.started")[-1]
    assert started["user_evidence"] == "os"
    assert "user_subject" not in started
    kinds = [record["kind"] for record in install.records("person.signed_in", "person.signed_out")]
    assert kinds == ["person.signed_in", "person.signed_out"]
