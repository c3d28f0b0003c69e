"""The system's keyring through one pinned backend of the `keyring` library.

`keyring.get_keyring()` is never asked: what it picks depends on environment, configuration and
installed plug-ins, and may be a plain-text file (`keyrings.alt`). Only the classes named here
are used, and only where the service behind them answers.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.errors import VaultLocked
from supervisor.vault.backend import KEYRING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

PINNED = {
    "linux": ("keyring.backends.SecretService.Keyring", "keyring.backends.kwallet.DBusKeyring"),
    "darwin": ("keyring.backends.macOS.Keyring",),
}

_HINT = "Unlock the system keyring (log in to the desktop), then try again."


class SystemKeyring:
    """Secrets in the desktop's keyring, under a service name of this install.

    Raises:
        VaultLocked: `backend` is not one of the pinned classes.
    """

    protection = KEYRING

    def __init__(self, backend: KeyringBackend, service: str) -> None:
        kind = type(backend)
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name not in PINNED.get(sys.platform, ()):
            raise VaultLocked(
                f"The keyring backend {name} is not one we trust with secrets.",
                hint="Use the Secret Service, KWallet or the macOS keychain.",
            )
        self._backend = backend
        self._service = service

    def get(self, name: str) -> str | None:
        try:
            return self._backend.get_password(self._service, name)
        except Exception as error:  # each backend raises errors of its own library too
            raise _locked(error) from error

    def put(self, name: str, value: str) -> None:
        try:
            self._backend.set_password(self._service, name, value)
        except Exception as error:
            raise _locked(error) from error

    def delete(self, name: str) -> None:
        try:
            if self._backend.get_password(self._service, name) is not None:
                self._backend.delete_password(self._service, name)
        except Exception as error:
            raise _locked(error) from error


def find_keyring(state: Path) -> SystemKeyring | None:
    """The first pinned backend whose service answers, None where there is none (a server, CI).

    Args:
        state: our state directory; keeps two installs of one user apart in the same keyring.
    """
    service = "taskpass-" + hashlib.sha256(str(state).encode()).hexdigest()[:12]
    for name in PINNED.get(sys.platform, ()):
        module, _, kind = name.rpartition(".")
        try:
            backend = getattr(importlib.import_module(module), kind)
            if backend.priority > 0:
                return SystemKeyring(backend(), service)
        except Exception:  # noqa: S112 - not viable here, for whatever reason it gives
            continue
    return None


def _locked(error: Exception) -> VaultLocked:
    # Only the kind of error: its text comes from elsewhere and might repeat what it was given.
    return VaultLocked(f"The system keyring refused ({type(error).__name__}).", hint=_HINT)
