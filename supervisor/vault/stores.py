"""The places where secrets lie, and which of them a new one goes to.

The first secret decides: the system keyring; where there is none, a file encrypted by the
passphrase; where there is none either, a file encrypted by a key beside it. From then on it is that
one, whatever comes or goes: a keyring that does not answer is locked and nothing weaker takes its
place, and one that appears later is used when the person says so (`FileVault.protect`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from supervisor.errors import ConfigError, VaultLocked
from supervisor.paths import replace_file
from supervisor.ports import Secret
from supervisor.vault.backend import FILE_KEY, KEYRING, PASSPHRASE, SecretStore
from supervisor.vault.encrypted_file import EncryptedFile

WORDS = (KEYRING, PASSPHRASE, FILE_KEY)
_PATIENCE = 30.0  # seconds for a keyring: it may be asking the person to unlock it

_T = TypeVar("_T")

FindKeyring = Callable[[Path], SecretStore | None]


class Stores:
    """Opens each when it is needed, and remembers it.

    Args:
        state: our state directory.
        passphrase: None while nobody has typed it.
        keyring: finds the system keyring, given the state directory.
    """

    def __init__(self, state: Path, passphrase: Secret | None, keyring: FindKeyring) -> None:
        self._state = state
        self._find_keyring = keyring
        self._passphrase = passphrase
        self._pin = state / "protection"
        self._open: dict[str, SecretStore] = {}

    @property
    def locked(self) -> bool:
        """Whether there are secrets that wait for the passphrase."""
        return self._passphrase is None and self.has_passphrase

    @property
    def has_passphrase(self) -> bool:
        return self._passphrase_file.exists()

    @property
    def _passphrase_file(self) -> Path:
        return self._state / "secrets.passphrase"

    async def for_new(self, used: str = "") -> SecretStore:
        """Where a new secret goes.

        Args:
            used: where one lies already, for installs that never wrote it down.

        Raises:
            VaultLocked: that one does not answer.
        """
        word = self.pinned() or used
        if word:
            return await self.of(word)
        if await self.keyring() is not None:
            return await self.of(KEYRING)
        if self._passphrase is not None or self.has_passphrase:
            return await self.of(PASSPHRASE)
        return await self.of(FILE_KEY)

    def pinned(self) -> str:
        """Where new secrets go, in one of `WORDS`; "" before the first. Raises VaultLocked."""
        try:
            word = self._pin.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError):
            word = "?"
        if word not in WORDS:
            raise VaultLocked(
                f"{self._pin} does not say where secrets are kept.",
                hint=f"Write one of these into it: {', '.join(WORDS)}.",
            )
        return word

    def pin(self, protection: str) -> None:
        """From now on new secrets go there. Raises VaultLocked: it cannot be written down."""
        if self.pinned() == protection:
            return
        try:
            replace_file(self._pin, f"{protection}\n".encode())
        except ConfigError as error:
            raise VaultLocked(error.message, hint=error.hint) from error

    async def keyring(self) -> SecretStore | None:
        """The system keyring, None where none answers."""
        if KEYRING not in self._open:
            found = await in_thread(lambda: self._find_keyring(self._state))
            if found is not None:
                self._open[KEYRING] = found
        return self._open.get(KEYRING)

    async def of(self, protection: str) -> SecretStore:
        """The one of this name. Raises VaultLocked."""
        if protection in self._open:
            return self._open[protection]
        store: SecretStore | None
        if protection == KEYRING:
            store = await self.keyring()
            if store is None:
                raise VaultLocked(
                    "The system keyring does not answer.",
                    hint="Log in to the desktop that holds it, then try again. For secrets to be "
                    "kept elsewhere from now on: taskpass credential protect passphrase",
                )
        elif protection == PASSPHRASE:
            if self._passphrase is None:
                raise VaultLocked(
                    "The secrets are locked by a passphrase.", hint="Unlock them: taskpass unlock"
                )
            store = EncryptedFile.with_passphrase(self._passphrase_file, self._passphrase)
        elif protection == FILE_KEY:
            store = EncryptedFile.with_file_key(
                self._state / "secrets.file", self._state / "secrets.key"
            )
        else:
            raise VaultLocked(
                f"credentials.toml names a protection {protection!r} that there is not.",
                hint=f"It is one of: {', '.join(WORDS)}.",
            )
        self._open[protection] = store
        return store

    async def others(self, protection: str) -> list[SecretStore]:
        """All that can be opened now, but this one."""
        found: list[SecretStore] = []
        for word in WORDS:
            if word == protection or (word == PASSPHRASE and self._passphrase is None):
                continue
            if word == KEYRING and await self.keyring() is None:
                continue
            found.append(await self.of(word))
        return found

    async def unlock(self, passphrase: Secret) -> None:
        """Use this passphrase from now on. Raises VaultLocked: it is not the one."""
        store = EncryptedFile.with_passphrase(self._passphrase_file, passphrase)
        await in_thread(lambda: store.get(""))
        self._passphrase = passphrase
        self._open[PASSPHRASE] = store


async def in_thread(work: Callable[[], _T]) -> _T:
    """Blocking work. Raises VaultLocked when it takes too long."""
    try:
        return await asyncio.wait_for(
            asyncio.get_running_loop().run_in_executor(None, work), _PATIENCE
        )
    except TimeoutError:
        raise VaultLocked(
            "The keyring did not answer in time.", hint="Is it asking to be unlocked?"
        ) from None
