"""Tokens by exchange (RFC 8693): the person's, in the hands of this task's agent, for one call.

The subject is the person, by an access token of their sign-in that never leaves us. The actor is
the agent, by a JWT of ours that names task and call (`act` there: the task it was started from).
The provider verifies it by our keys (`taskpass credential jwks`). What the token is for is said
three times: `resource` (the host), `scope`, and where the provider knows the type,
`authorization_details` (RFC 9396) with the method and path of this call.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from supervisor.issuers.local_jwt import LONGEST, Signer
from supervisor.issuers.oauth_session import Asked, Sessions
from supervisor.issuers.oauth_tokens import TokenIssuer, scope_for
from supervisor.model import CredentialSpec, Effect
from supervisor.oauth import grants
from supervisor.oauth.refusal import Refused
from supervisor.ports import MintContext

_FRESH = 5.0  # seconds; a token that was refused so soon is not refused for its age
_LEFT = 30.0  # seconds that the subject's token must still live
_SUBJECT_GONE = frozenset({"invalid_grant", "invalid_request", "invalid_token"})
_THUMBPRINT_URI = "urn:ietf:params:oauth:jwk-thumbprint:sha-256:"


class TokenExchangeIssuer(TokenIssuer):
    """See the module."""

    family = "token-exchange"
    title = "a token made for one call by exchange (RFC 8693): you, by this agent"
    resource = "host; method and path where the provider takes authorization_details"

    def __init__(self, sessions: Sessions, signer: Signer, *, expiring: bool = False) -> None:
        super().__init__(sessions, expiring=expiring)
        self._signer = signer
        self._subjects: dict[str, Asked] = {}  # by credential
        self._asking: dict[str, asyncio.Lock] = {}

    def narrowing(self, spec: CredentialSpec, effect: Effect) -> object:
        return scope_for(spec, effect), effect.resource, _details(spec, effect)

    async def ask(self, spec: CredentialSpec, context: MintContext) -> Asked:
        subject = await self._subject(spec)
        try:
            return await self._exchanged(spec, context, subject)
        except Refused as no:
            if no.error not in _SUBJECT_GONE:
                raise
            # The provider has ended it before its time, with another token perhaps.
            if self._subjects.get(spec.name) is subject:
                del self._subjects[spec.name]
            if subject.at >= self.sessions.now() - _FRESH:
                raise
        return await self._exchanged(spec, context, await self._subject(spec))

    async def _exchanged(self, spec: CredentialSpec, context: MintContext, subject: Asked) -> Asked:
        at = self.sessions.now()
        effect = context.effect
        tokens = await grants.by_exchange(
            self.sessions.http,
            subject.provider,
            subject.client,
            subject_token=subject.tokens.access,
            actor_token=self._actor(context, subject.provider.issuer, at),
            resource=spec.options.get("resource") or f"https://{effect.resource}",
            audience=spec.options.get("audience", ""),
            scope=scope_for(spec, effect),
            details=_details(spec, effect),
        )
        return replace(subject, tokens=tokens, at=at)

    def forget(self, name: str) -> None:
        super().forget(name)
        self._subjects.pop(name, None)

    async def _subject(self, spec: CredentialSpec) -> Asked:
        """The person's own token: one for all calls, asked for once however many want it."""
        async with self._asking.setdefault(spec.name, asyncio.Lock()):
            known = self._subjects.get(spec.name)
            if known is None or known.at + known.tokens.lifetime - self.sessions.now() < _LEFT:
                known = self._subjects[spec.name] = await self.sessions.access(spec)
            return known

    def _actor(self, context: MintContext, issuer: str, now: float) -> str:
        task, issued = context.task, int(now)
        actor: dict[str, Any] = {
            "iss": f"{_THUMBPRINT_URI}{self._signer.kid}",
            "aud": issuer,
            "sub": f"agent:{task.agent.profile}/{task.id}",
            "jti": uuid.uuid4().hex,
            "iat": issued,
            "nbf": issued,
            "exp": issued + int(LONGEST),
            "txn": context.call,
        }
        if task.parent:
            actor["act"] = {"sub": f"task:{task.parent}"}
        return self._signer.sign(actor, typ="JWT")


def _details(spec: CredentialSpec, effect: Effect) -> tuple[Mapping[str, Any], ...]:
    kind = spec.options.get("details", "")
    if not kind:
        return ()
    method = str(effect.attributes.get("method", "")).lower()
    return (
        {
            "type": kind,
            "actions": [f"http.{method}"],
            "locations": [f"https://{effect.resource}"],
            "identifier": str(effect.attributes.get("path", "")),
        },
    )
