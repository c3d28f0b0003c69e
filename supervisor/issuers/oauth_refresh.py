"""Access tokens of a sign-in, by its refresh token: one for each lease, with less scope to read."""

from __future__ import annotations

from supervisor.issuers.oauth_session import Asked
from supervisor.issuers.oauth_tokens import TokenIssuer, scope_for
from supervisor.model import CredentialSpec, Effect
from supervisor.ports import MintContext


class OAuthIssuer(TokenIssuer):
    """RFC 6749 section 6, narrowed by `scope` and `resource` (RFC 8707), ended by RFC 7009."""

    family = "oauth"
    title = "an access token of a sign-in (OAuth 2), made for one call"
    resource = "what the provider makes of `resource`"

    def narrowing(self, spec: CredentialSpec, effect: Effect) -> object:
        return scope_for(spec, effect)

    async def ask(self, spec: CredentialSpec, context: MintContext) -> Asked:
        return await self.sessions.access(
            spec,
            scope=scope_for(spec, context.effect),
            resource=spec.options.get("resource", ""),
        )
