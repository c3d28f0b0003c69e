"""What we write to our own files and nobody else may read or change, though it is no credential.

AES-256-GCM under a key of the install, which lies where secrets lie (`SecretStore`). What a text
is about goes in as associated data, so that one sealed text is not taken for another.

    {"v": 1, "protection": where the key lies, "nonce", "sealed"}    as JSON, base64
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from supervisor.errors import VaultLocked
from supervisor.vault.backend import SecretStore

_VERSION = 1
_KEY = "+sealing"  # no name of a credential begins so
_KEY_BYTES = 32


def seal(store: SecretStore, about: str, data: bytes) -> bytes:
    """`data` for a file of ours. Blocking.

    Raises:
        VaultLocked: the store does not give or take the key.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = store.get(_KEY)
    if key is None:
        key = base64.b64encode(os.urandom(_KEY_BYTES)).decode()
        store.put(_KEY, key)
    nonce = os.urandom(12)
    sealed = AESGCM(base64.b64decode(key)).encrypt(nonce, data, about.encode())
    return json.dumps(
        {
            "v": _VERSION,
            "protection": store.protection,
            "nonce": base64.b64encode(nonce).decode(),
            "sealed": base64.b64encode(sealed).decode(),
        }
    ).encode()


def protection_of(sealed: bytes) -> str:
    """Where the key of a sealed text lies. Raises VaultLocked."""
    return str(_content(sealed).get("protection"))


def unseal(store: SecretStore, about: str, sealed: bytes) -> bytes:
    """What was sealed about the same. Blocking.

    Raises:
        VaultLocked: the key is not to be had, or the text was changed or is about something else.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    content = _content(sealed)
    key = store.get(_KEY)
    if key is None:
        raise VaultLocked(f"The key of what was sealed is gone from the {store.protection}.")
    try:
        nonce = base64.b64decode(content["nonce"], validate=True)
        data = base64.b64decode(content["sealed"], validate=True)
        return AESGCM(base64.b64decode(key)).decrypt(nonce, data, about.encode())
    except (InvalidTag, ValueError, KeyError, TypeError) as error:
        raise VaultLocked("What was sealed does not open: it, or its key, was changed.") from error


def forget_key(store: SecretStore) -> None:
    """Nothing that was sealed opens again. Blocking. Raises VaultLocked."""
    store.delete(_KEY)


def has_key(store: SecretStore) -> bool:
    """Whether something was sealed with a key that lies here. Blocking. Raises VaultLocked."""
    return store.get(_KEY) is not None


def move_key(old: SecretStore, new: SecretStore) -> None:
    """Keep the key elsewhere, where there is none yet. Blocking. Raises VaultLocked."""
    key = old.get(_KEY)
    if key is not None and new.get(_KEY) in (None, key):
        new.put(_KEY, key)
        old.delete(_KEY)


def _content(sealed: bytes) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(sealed)
        if content["v"] != _VERSION:
            raise ValueError("unknown format")
    except (ValueError, KeyError, TypeError) as error:
        raise VaultLocked("What was sealed is not in our format.") from error
    return content
