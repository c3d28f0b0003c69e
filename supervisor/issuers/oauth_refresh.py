"""Access tokens of a sign-in, by its refresh token: one for each lease, with less scope to read."""

from __future__ import annotations

from supervisor.issuers.oauth_session import Asked
from supervisor.issuers.oauth_tokens import ENDED_WITHIN, SKEW, TokenIssuer, scope_for
from supervisor.model import CredentialSpec, Effect
from supervisor.ports import Kind, MintContext


class OAuthIssuer(TokenIssuer):
    """RFC 6749 section 6, narrowed by `scope` and `resource` (RFC 8707), ended by RFC 7009."""

    family = "oauth"

    def kind(self) -> Kind:
        return Kind(
            name=self.name,
            title="an access token of a sign-in (OAuth 2), made for one call",
            resource="what the provider makes of `resource`",
            verb="read or all, by scope",
            lifetime="as the provider gives it",
            kill_mode=self.kill_mode,
            bound=f"its lifetime and {SKEW:g} s: services verify it by themselves"
            if self.expiring
            else f"{ENDED_WITHIN:g} s once the provider answers; else its lifetime",
        )

    def narrowing(self, spec: CredentialSpec, effect: Effect) -> object:
        return scope_for(spec, effect)

    async def ask(self, spec: CredentialSpec, context: MintContext) -> Asked:
        return await self.sessions.access(
            spec,
            scope=scope_for(spec, context.effect),
            resource=spec.options.get("resource", ""),
        )
