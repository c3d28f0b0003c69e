"""Secrets in one encrypted file, for machines without a keyring.

The file is JSON: a header in clear and one sealed text.

    {"v": 1, "kdf": "scrypt" | "file", "n", "r", "p", "salt", "serial", "nonce", "sealed"}

`sealed` is AES-256-GCM over the JSON object {name: secret}, with a fresh 96-bit nonce at every
write and the header (without nonce and text) as associated data, so that neither can be swapped.
The key comes from a passphrase by scrypt (RFC 7914; what the header says, never less than
N = 2**17, r = 8, p = 1: 128 MiB), or is 32 random bytes in a 0600 file. The latter protects against
copies of the one file only; contained tasks cannot see our state directory, uncontained ones can.
The words `file key` say so.

`serial` counts writes. One process notices when the file goes back behind what it has seen; across
a restart an older copy of the whole file cannot be told from the right one.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from supervisor.errors import VaultLocked
from supervisor.paths import private_file, replace_file
from supervisor.ports import Secret
from supervisor.vault.backend import FILE_KEY, PASSPHRASE

_VERSION = 1
_N, _R, _P = 2**17, 8, 1
_MOST_MEMORY = 1 << 30  # bytes: 128 * n * r
_MOST_P = 16
_SALT = 16  # bytes


class EncryptedFile:
    """Secrets in the file `path`, sealed by what `derive` makes of a header.

    Use `with_passphrase` or `with_file_key`.
    """

    def __init__(
        self,
        path: Path,
        protection: str,
        header: dict[str, Any],
        derive: Callable[[dict[str, Any]], bytes],
    ) -> None:
        self.protection = protection
        self._path = path
        self._new_header = header
        self._derive = derive
        self._keys: dict[bytes, bytes] = {}  # header → key: scrypt is slow on purpose
        self._seen = 0  # highest serial
        self._turn = threading.Lock()

    @classmethod
    def with_passphrase(cls, path: Path, passphrase: Secret) -> EncryptedFile:
        def derive(header: dict[str, Any]) -> bytes:
            from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

            n, r, p = (int(header[name]) for name in "nrp")
            salt = base64.b64decode(header["salt"], validate=True)
            weak = n < _N or r < _R or p < _P or len(salt) < _SALT
            if weak or n & (n - 1) or 128 * n * r > _MOST_MEMORY or p > _MOST_P:
                raise ValueError("scrypt parameters that are too weak, or meant to hold us up")
            return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(passphrase.value.encode())

        header = {"v": _VERSION, "kdf": "scrypt", "n": _N, "r": _R, "p": _P}
        header["salt"] = base64.b64encode(os.urandom(_SALT)).decode()
        return cls(path, PASSPHRASE, header, derive)

    @classmethod
    def with_file_key(cls, path: Path, key_file: Path) -> EncryptedFile:
        def derive(header: dict[str, Any]) -> bytes:
            return private_file(key_file, lambda: os.urandom(32))

        return cls(path, FILE_KEY, {"v": _VERSION, "kdf": "file"}, derive)

    def get(self, name: str) -> str | None:
        with self._turn:
            return self._load()[1].get(name)

    def put(self, name: str, value: str) -> None:
        with self._alone():
            header, secrets = self._load()
            self._save(header, {**secrets, name: value})

    def delete(self, name: str) -> None:
        with self._alone():
            header, secrets = self._load()
            if name in secrets:
                del secrets[name]
                self._save(header, secrets)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else writes meanwhile, in this process or in another (flock(2))."""
        with self._turn:
            try:
                path = self._path.with_name(f"{self._path.name}.lock")
                lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise self._unreadable(f"cannot be locked ({error.strerror})") from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def _load(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Header and secrets; a new header and none where there is no file yet."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            content = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return self._new_header, {}
        except (OSError, ValueError) as error:
            raise self._unreadable("cannot be read") from error
        try:
            nonce = base64.b64decode(content.pop("nonce"), validate=True)
            sealed = base64.b64decode(content.pop("sealed"), validate=True)
            if content["v"] != _VERSION or content["kdf"] != self._new_header["kdf"]:
                raise ValueError("unknown format")
            opened = AESGCM(self._key(content)).decrypt(nonce, sealed, _bytes(content))
        except InvalidTag as error:
            raise self._unreadable(
                "does not open: wrong passphrase, or the file was changed"
                if self.protection == PASSPHRASE
                else "does not open: the file or its key was changed"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._unreadable("is not a file of secrets") from error
        serial = int(content.get("serial", 0))
        if serial < self._seen:
            raise self._unreadable("is older than what was read from it before")
        self._seen = serial
        secrets: dict[str, str] = json.loads(opened)
        return content, secrets

    def _save(self, header: dict[str, Any], secrets: dict[str, str]) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        header = {**header, "serial": int(header.get("serial", 0)) + 1}
        nonce = os.urandom(12)
        sealed = AESGCM(self._key(header)).encrypt(
            nonce, json.dumps(secrets).encode(), _bytes(header)
        )
        content = {
            **header,
            "nonce": base64.b64encode(nonce).decode(),
            "sealed": base64.b64encode(sealed).decode(),
        }
        replace_file(self._path, json.dumps(content, indent=1).encode() + b"\n")
        self._seen = header["serial"]

    def _key(self, header: dict[str, Any]) -> bytes:
        known = _bytes({key: value for key, value in header.items() if key != "serial"})
        if known not in self._keys:
            self._keys[known] = self._derive(header)
        return self._keys[known]

    def _unreadable(self, why: str) -> VaultLocked:
        return VaultLocked(
            f"{self._path} {why}.",
            hint="Give the right passphrase, or restore the file from a backup.",
        )


def _bytes(header: dict[str, Any]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
