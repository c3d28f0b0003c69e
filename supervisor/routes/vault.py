"""The API's part about where secrets are kept, and unlocking them."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from supervisor.errors import UsageError, VaultLocked
from supervisor.ports import LedgerStore, Secret
from supervisor.protocol import vault as wire_vault
from supervisor.routes.bodies import as_json, asked_in
from supervisor.vault.backend import FILE_KEY, KEYRING, PASSPHRASE
from supervisor.vault.store import FileVault

_WORDS = {"keyring": KEYRING, "passphrase": PASSPHRASE, "file-key": FILE_KEY}
_SHORTEST = 8  # characters of a passphrase


@dataclass(frozen=True, slots=True)
class VaultRoutes:
    """Thin, as `api`: attestation of who asks is done there, before any of this."""

    vault: FileVault
    ledger: LedgerStore

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("GET", "/v1/vault", self._look)
        app.router.add_route("POST", "/v1/vault/unlock", self._unlock)
        app.router.add_route("POST", "/v1/vault/protect", self._protect)

    async def _look(self, request: web.Request) -> web.Response:
        return as_json(await self._view())

    async def _unlock(self, request: web.Request) -> web.Response:
        asked = await asked_in(request, wire_vault.Unlock)
        if not self.vault.has_passphrase:
            raise UsageError(
                "No secret is locked by a passphrase.",
                hint="To have it so: taskpass credential protect passphrase",
            )
        await self.vault.unlock(Secret(asked.passphrase))
        await self.ledger.append("vault.unlocked", {})
        return as_json(await self._view())

    async def _protect(self, request: web.Request) -> web.Response:
        asked = await asked_in(request, wire_vault.Protect)
        protection = _WORDS.get(asked.protection)
        if protection is None:
            raise UsageError(
                f"{asked.protection!r} is no place for secrets.",
                hint=f"Choose one of: {', '.join(_WORDS)}.",
            )
        if protection == PASSPHRASE and asked.passphrase:
            if not self.vault.has_passphrase and len(asked.passphrase) < _SHORTEST:
                raise UsageError(f"A passphrase has at least {_SHORTEST} characters.")
            await self.vault.unlock(Secret(asked.passphrase))
        moved = await self.vault.protect(protection)
        await self.ledger.append(
            "vault.protected", {"protection": protection, "moved": list(moved)}
        )
        return as_json(await self._view(moved))

    async def _view(self, moved: tuple[str, ...] = ()) -> wire_vault.VaultView:
        try:
            protection = await self.vault.protection()
        except VaultLocked:
            protection = ""
        return wire_vault.VaultView(
            protection=protection,
            locked=self.vault.locked,
            keyring=await self.vault.keyring_answers(),
            moved=moved,
        )
