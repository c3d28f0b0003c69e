"""An ID token counts when its provider made it, now, for this client and this sign-in."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from supervisor.errors import IssuerFailed
from supervisor.oauth.http import Http
from supervisor.oauth.person import Person, verified
from supervisor.oauth.provider import Provider, discover
from tests.support.faulty_upstream import Answer, Asked
from tests.support.oauth_fake import FakeProvider

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())


def published() -> list[dict[str, Any]]:
    first = json.loads(RSAAlgorithm.to_jwk(RSA.public_key())) | {"kid": "one", "use": "sig"}
    second = json.loads(ECAlgorithm.to_jwk(EC.public_key())) | {"kid": "two", "alg": "ES256"}
    return [{"kty": "oct", "k": "c2VjcmV0", "kid": "sym"}, first, second]


class Scene:
    def __init__(self, http: Http, provider: Provider) -> None:
        self.http, self.provider = http, provider

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        right = {"iss": self.provider.issuer, "aud": "cli", "sub": "00u1", "nonce": "the-nonce",
                 "iat": now, "exp": now + 300}  # fmt: skip
        return {name: value for name, value in (right | more).items() if value is not None}

    def token(self, key: Any = RSA, algorithm: str = "RS256", kid: str = "one", **more: Any) -> str:
        headers = {"kid": kid} if kid else {}
        return jwt.encode(self.claims(**more), key, algorithm, headers=headers)

    async def verify(self, token: str, **more: Any) -> Person:
        given = {"client_id": "cli", "nonce": "the-nonce"} | more
        return await verified(self.http, self.provider, token, **given)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    fake = FakeProvider(metadata={"id_token_signing_alg_values_supported": ["RS256", "ES256"]})
    own = fake.upstream._handle

    async def answer(request: Asked) -> Answer:
        if request.path == "/jwks":
            return Answer.of({"keys": published()})
        return await own(request)

    fake.upstream._handle = answer
    async with fake.upstream as upstream:
        http = Http(lambda: fake.trust)
        yield Scene(http, await discover(http, upstream.url))
        await http.close()


async def test_it_names_the_person_until_it_expires(scene: Scene) -> None:
    claims = scene.claims(email="ana@example.com", email_verified=True)
    token = jwt.encode(claims, RSA, "RS256", headers={"kid": "one"})
    person = await scene.verify(token)
    assert person == Person(scene.provider.issuer, "00u1", "ana@example.com", claims["exp"])
    assert (await scene.verify(scene.token(EC, "ES256", "two"))).name == "00u1"


async def test_an_address_that_nobody_verified_is_not_a_name(scene: Scene) -> None:
    person = await scene.verify(scene.token(email="root@example.com"))
    assert person.name == "00u1"


@pytest.mark.parametrize(
    ("bent", "why"),
    [
        ({"iss": "https://evil.example.com"}, "InvalidIssuer"),
        ({"aud": "another"}, "InvalidAudience"),
        ({"aud": ["cli", "another"]}, "another client"),
        ({"aud": ["cli", "another"], "azp": "another"}, "another client"),
        ({"azp": "another"}, "another client"),
        ({"nonce": "another"}, "another sign-in"),
        ({"nonce": None}, "another sign-in"),
        ({"exp": 1000}, "has expired"),
        ({"exp": None}, "MissingRequiredClaim"),
        ({"iat": 9_999_999_999}, "from the future"),
        ({"nbf": 9_999_999_999}, "from the future"),
        ({"sub": None}, "MissingRequiredClaim"),
        ({"sub": ""}, "names nobody"),
        ({"sub": "a\x1b[2J"}, "names nobody"),
    ],
    ids=str,
)
async def test_a_claim_that_is_not_right_is_refused(
    scene: Scene, bent: dict[str, Any], why: str
) -> None:
    with pytest.raises(IssuerFailed, match=why):
        await scene.verify(scene.token(**bent))


async def test_two_audiences_are_fine_where_it_is_authorised_for_us(scene: Scene) -> None:
    assert await scene.verify(scene.token(aud=["cli", "api"], azp="cli"))


async def test_a_signature_of_anybody_else_is_refused(scene: Scene) -> None:
    public = RSA.public_key().public_numbers().n.to_bytes(256, "big")
    unsigned = jwt.encode(scene.claims(), None, "none")
    confused = jwt.encode(scene.claims(), public, "HS256", headers={"kid": "one"})
    for token in (
        scene.token(OTHER),
        scene.token(OTHER, kid=""),
        scene.token(kid="unknown"),
        scene.token(kid="two"),
        scene.token(kid="sym"),
        unsigned,
        confused,
        scene.token(RSA, "RS512"),  # the provider does not say that it signs so
        "not.a.token",
        "",
    ):
        with pytest.raises(IssuerFailed, match="ID token of localhost"):
            await scene.verify(token)


async def test_without_a_name_the_only_key_that_fits_is_taken(scene: Scene) -> None:
    assert await scene.verify(scene.token(kid=""))


async def test_a_provider_without_keys_vouches_for_nobody(scene: Scene) -> None:
    scene.provider = replace(scene.provider, jwks_uri="")
    with pytest.raises(IssuerFailed, match="publishes no keys"):
        await scene.verify(scene.token())
    scene.provider = replace(scene.provider, jwks_uri=f"{scene.provider.issuer}/nowhere")
    with pytest.raises(IssuerFailed, match="keys cannot be read"):
        await scene.verify(scene.token())
