"""A token made for one use: the API verifies it offline, by the published keys."""

from __future__ import annotations

import json
import time

from supervisor.errors import InvalidToken
from supervisor.tokens.verify import TokenVerifier
from tests.support.live import ApiServer, Install, wait_for


def test_an_api_that_verifies_offline_learns_all_four_parts(
    install: Install, api: ApiServer
) -> None:
    added = install.cli(
        "credential", "add", "jwt", "--issuer", "local-jwt", "--host", api.host, "--env", "JWT",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    jwks = json.loads(install.cli("credential", "jwks").stdout)
    tokens: list[str] = []

    def accepts(header: str) -> bool:
        tokens.append(header.removeprefix("Bearer "))
        try:
            verifier.verify(tokens[-1], audience=f"https://{api.host}")
        except InvalidToken:
            return False
        return True

    # RFC 9278: the issuer is the key itself.
    issuer = f"urn:ietf:params:oauth:jwk-thumbprint:sha-256:{jwks['keys'][0]['kid']}"
    verifier = TokenVerifier(jwks, issuer)
    api.accepts = accepts
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $JWT" https://{api.host}'
    done = install.cli("run", "--headless", "--purpose", "read me", "--", "sh", "-c",
                       f"{curl}/one; {curl}/two")  # fmt: skip
    assert done.stdout == '{"hello": "ana"}' * 2, done
    claims = [verifier.verify(token, audience=f"https://{api.host}") for token in tokens]
    assert claims[0]["jti"] != claims[1]["jti"]
    (started,) = install.records("task.started")
    assert claims[0]["sub"].endswith(started["user"])
    assert "generic" in json.dumps(claims[0]["act"])
    assert claims[0]["rctx"]["runtime"] == started["runtime"]
    assert claims[0]["tctx"]["task"] == started["task"]
    assert claims[0]["exp"] - time.time() <= 60


def test_a_revocation_does_not_claim_more_than_it_can(install: Install, api: ApiServer) -> None:
    install.cli("credential", "add", "jwt", "--issuer", "local-jwt", "--host", api.host,
                "--env", "JWT")  # fmt: skip
    api.accepts = lambda header: True
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $JWT" https://{api.host}/one'
    running = install.popen("run", "--headless", "--", "sh", "-c", f"{curl}; echo; sleep 60")
    wait_for(lambda: api.seen, "the use")
    wait_for(lambda: install.records("use.delivered"), "its record")
    revoked = install.cli("revoke", "1")
    running.communicate(timeout=20)
    assert "1 not confirmed yet" in revoked.stdout, revoked
    assert running.returncode != 0
