"""Call tokens of our own: JWT access tokens (RFC 9068), ES256, at most 60 seconds.

For services that trust this supervisor's keys. A service that verifies offline cannot learn of a
revocation: it accepts the token until `exp`, and for as long after it as it allows clocks to
differ (5 s here). That is the bound we state.

Claims: `iss aud sub jti iat nbf exp client_id` (RFC 9068), `act` (RFC 8693),
`authorization_details` (RFC 9396), and from Transaction Tokens
(draft-ietf-oauth-transaction-tokens):

- `sub_id` (RFC 9493): the person, where an OpenID provider vouches for them.
- `txn`: the call's id.
- `rctx`: the runtime and what backs its claim.
- `tctx`: task, epoch, call hash, policy hash, approval id (where a person was asked), and how
  surely this use belongs to the call.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from supervisor.issuers.scope import require_bound_request
from supervisor.model import CredentialSpec, Evidence, KillMode, User, job_of
from supervisor.ports import Issuer, Kind, MintContext, Minted, Secret

LONGEST = 60.0  # seconds a token may live
SKEW = 5.0  # seconds that verifiers allow clocks to differ

_THUMBPRINT_URI = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"


class Signer(Protocol):
    """What signs tokens (`tokens.keys.SigningKey`)."""

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint of the key."""

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str: ...


class LocalJwtIssuer(Issuer):
    """Mints one token for one use.

    Args:
        signer: signs with the supervisor's key.
        issuer_url: `iss` of every token. By default the key's own name (RFC 9278): a supervisor
            on a laptop has no address at which it could be asked.
        clock: POSIX seconds.
    """

    name = "local-jwt"
    kill_mode = KillMode.VERIFIER

    def __init__(
        self, signer: Signer, issuer_url: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        self._signer = signer
        self._issuer = issuer_url or f"{_THUMBPRINT_URI}{signer.kid}"
        self._clock = clock

    def kind(self) -> Kind:
        return Kind(
            name=self.name,
            title="a JWT signed here (RFC 9068, ES256), for services that trust our keys",
            resource="host, path and method (authorization_details)",
            verb="policy, at each request",
            lifetime=f"{LONGEST:g} s at most",
            kill_mode=self.kill_mode,
            bound=f"{LONGEST + SKEW:g} s: verifiers look at the expiry only",
        )

    def kill_bound(self, spec: CredentialSpec) -> float:
        return _lifetime(spec) + SKEW

    def lifetime(self, spec: CredentialSpec) -> float:
        return _lifetime(spec)

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        require_bound_request(spec, context.effect)
        # Whole seconds, rounded down: no reading of the times makes it live longer.
        issued = int(self._clock())
        expires = issued + int(_lifetime(spec))
        token = self._signer.sign(self._claims(spec, context, issued, expires), typ="at+jwt")
        return Minted(secret=Secret(token), expires=float(expires))

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        """Nothing to call: it dies at `exp`, within `kill_bound`."""

    def _claims(
        self, spec: CredentialSpec, context: MintContext, issued: int, expires: int
    ) -> dict[str, Any]:
        task, effect = context.task, context.effect
        runtime, agent = task.runtime, task.agent
        location = f"https://{effect.resource}"
        return {
            "iss": self._issuer,
            "aud": spec.options.get("audience", location),
            "sub": f"user:{task.user.label}",
            "jti": uuid.uuid4().hex,
            "iat": issued,
            "nbf": issued,
            "exp": expires,
            **_person(task.user, issued),
            "client_id": agent.profile,
            "act": _actor(context),
            "txn": context.call,
            "rctx": {
                "runtime": runtime.kind,
                "evidence": str(runtime.evidence),
                "tier": str(runtime.tier),
                "sandbox_profile": runtime.sandbox_profile,
                **({"job": job_of(runtime.job)} if runtime.job else {}),
            },
            "tctx": {
                "task": task.id,
                "epoch": context.epoch,
                "call_hash": context.call_hash,
                "call_identity": str(agent.call_identity),
                "policy_hash": context.policy_digest,
                **({"approval_id": context.approval} if context.approval else {}),
            },
            "authorization_details": [
                {
                    "type": "tool-call",
                    "actions": [f"http.{str(effect.attributes.get('method', '')).lower()}"],
                    "locations": [location],
                    "identifier": str(effect.attributes.get("path", "")),
                }
            ],
        }


def _actor(context: MintContext) -> dict[str, Any]:
    """Who acts for the user: the agent in this task, and the task it was started from."""
    task = context.task
    actor: dict[str, Any] = {"sub": f"agent:{task.agent.profile}/{task.id}"}
    if task.parent:
        actor["act"] = {"sub": f"task:{task.parent}"}
    return actor


def _person(user: User, now: float) -> dict[str, Any]:
    """Who the user is by an OpenID provider (RFC 9493); absent where only the system says."""
    if user.verified is None or user.evidence(now) is not Evidence.OIDC:
        return {}
    verified = user.verified
    return {
        "sub_id": {"format": "iss_sub", "iss": verified.issuer, "sub": verified.subject},
    }


def _lifetime(spec: CredentialSpec) -> float:
    return max(1.0, min(spec.ttl, LONGEST))
