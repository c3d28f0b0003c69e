"""A standing secret from the vault, released for one use behind the proxy."""

from __future__ import annotations

from supervisor.errors import Denied
from supervisor.issuers.scope import require_bound_request
from supervisor.model import CredentialSpec, KillMode
from supervisor.ports import Issuer, Kind, MintContext, Minted, Vault


class StoredSecretIssuer(Issuer):
    """Use-scoped: the secret goes to the wire and never into the task.

    It is not short-lived, and nothing is revoked upstream: what ends is our putting it on the
    wire, and we are on the wire.
    """

    name = "stored"
    kill_mode = KillMode.WIRE

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def kind(self) -> Kind:
        return Kind(
            name=self.name,
            title="a secret you have, put on the wire for one use",
            resource="host",
            verb="policy, at each request",
            lifetime="use-scoped; the secret itself stands",
            kill_mode=self.kill_mode,
            bound="0.1 s: the connection is cut",
        )

    def kill_bound(self, spec: CredentialSpec) -> float:
        return 0.1

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        require_bound_request(spec, context.effect)
        secret = await self._vault.secret(spec.name)
        # Chosen a while ago, and a person may have been asked since: is the name another's now?
        if not any((now.name, now.hosts) == (spec.name, spec.hosts) for now in self._vault.specs()):
            raise Denied(
                f"{spec.name} was replaced by another credential meanwhile.",
                hint="Send the request again.",
            )
        return Minted(secret=secret, expires=0.0)

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        """Nothing is left to end: the proxy has cut the connection."""
