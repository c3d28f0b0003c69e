"""The vault: specs in a plain file, secrets in a protected store, stand-ins in memory."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from supervisor.errors import NotFound, UsageError, VaultLocked
from supervisor.model import CredentialSpec
from supervisor.paths import Paths, private_file
from supervisor.ports import Secret, Vault
from supervisor.vault import sealing, standing
from supervisor.vault import specs as spec_file
from supervisor.vault.backend import FILE_KEY, KEYRING, PASSPHRASE, SecretStore
from supervisor.vault.encrypted_file import EncryptedFile
from supervisor.vault.limits import LONGEST, SHORTEST
from supervisor.vault.redact import Redactor
from supervisor.vault.standins import StandIns
from supervisor.vault.surrogate import like_a_token, same_shape, shape_of
from supervisor.vault.system_keyring import find_keyring

_PATIENCE = 30.0  # seconds for a keyring: it may be asking the person to unlock it

_T = TypeVar("_T")

FindKeyring = Callable[[Path], SecretStore | None]


def open_vault(
    paths: Paths, *, passphrase: Secret | None = None, keyring: FindKeyring = find_keyring
) -> FileVault:
    """The vault of this install.

    A new secret goes to the system keyring; where there is none, to a file encrypted by the
    passphrase; where there is none either, to a file encrypted by a key beside it. Each spec
    says which (`protection`) and its secret is only ever looked for there: a keyring that does
    not answer is locked, and nothing weaker takes its place.

    Args:
        passphrase: as the person typed it or a file descriptor gave it; never from the
            environment.
        keyring: finds the system keyring, given the state directory.

    Raises:
        ConfigError: `credentials.toml` or a key file cannot be used.
    """
    return FileVault(paths, passphrase=passphrase, keyring=keyring)


class FileVault(Vault):
    """See `open_vault`. Used from one event loop; blocking stores run in worker threads."""

    def __init__(self, paths: Paths, *, passphrase: Secret | None, keyring: FindKeyring) -> None:
        self._state = paths.state
        self._file = paths.state / "credentials.toml"
        self._find_keyring = keyring
        self._passphrase = passphrase
        self._specs = spec_file.load(self._file)
        self._listed = tuple(self._specs.values())
        self._standing = standing.digests(self._listed)
        self._stores: dict[str, SecretStore] = {}
        self._secrets: dict[str, Secret] = {}
        self._borrowed: dict[tuple[str, str], Secret] = {}  # task and name → of another vault
        self._masking: dict[str, Secret] = {}  # what `_redactor` was made for
        self._redactor = Redactor({})
        self._stand_ins = StandIns(paths.runtime / "stand-ins.json")
        self._surrogate_key = private_file(self._state / "surrogate.key", lambda: os.urandom(32))
        self._changing = asyncio.Lock()

    def specs(self) -> Sequence[CredentialSpec]:
        return self._listed

    async def secret(self, name: str) -> Secret:
        spec = self._spec(name)
        if name not in self._secrets:
            secret = await self._load(spec)
            if self._specs.get(name) is not spec:  # removed, or made anew, meanwhile
                return await self.secret(name)
            self._secrets[name] = secret
        return self._secrets[name]

    async def add(self, spec: CredentialSpec, secret: Secret) -> None:
        """Keep a credential; an empty `secret` for issuers that mint.

        Raises:
            UsageError: the name is taken, or spec or secret cannot be used.
            VaultLocked: the store does not take it. Nothing is left behind.
        """
        spec_file.check(spec)
        _check_secret(secret, spec.issuer)
        spec = replace(spec, created=spec.created or time.time())
        async with self._changing:
            if spec.name in self._specs:
                raise UsageError(
                    f"There is a credential {spec.name} already.",
                    hint=f"Remove it first: taskpass credential remove {spec.name}",
                )
            if secret.value:
                store = await self._store_for_new()
                spec = replace(spec, protection=store.protection)
                await _in_thread(lambda: store.put(spec.name, _sealed(spec, secret)))
            else:
                spec = replace(spec, protection="")
            try:
                self._replace({**self._specs, spec.name: spec})
            except Exception:
                if secret.value:
                    await _in_thread(lambda: store.delete(spec.name))
                raise
            if secret.value:
                self._secrets[spec.name] = secret

    async def remove(self, name: str) -> None:
        """Forget a credential: its secret first, so that a crash leaves no secret unlisted.

        Raises:
            NotFound, VaultLocked.
        """
        async with self._changing:
            spec = self._spec(name)
            if spec.protection:
                store = await self._store(spec.protection)
                await _in_thread(lambda: store.delete(name))
            self._secrets.pop(name, None)
            self._replace({key: value for key, value in self._specs.items() if key != name})
            self._stand_ins.forget_name(name)

    async def rotate(self, name: str, secret: Secret) -> None:
        async with self._changing:
            spec = self._spec(name)
            if not spec.protection:
                raise UsageError(
                    f"{name} has no stored secret to replace.", hint=f"It is made by {spec.issuer}."
                )
            _check_secret(secret, spec.issuer)
            store = await self._store(spec.protection)
            await _in_thread(lambda: store.put(name, _sealed(spec, secret)))
            # A new spec, the same as before: who is reading the old secret reads again.
            self._specs = {**self._specs, name: replace(spec)}
            self._listed = tuple(self._specs.values())
            self._secrets[name] = secret

    async def surrogate(self, name: str, task: str) -> str:
        spec = self._spec(name)
        shape = shape_of(spec)
        if not shape and spec.issuer == "stored":
            shape = (await self.secret(name)).value
        attempt = 0
        while True:
            text = (
                same_shape(shape, self._surrogate_key, task, name, attempt)
                if shape
                else like_a_token(self._surrogate_key, task, name, attempt)
            )
            attempt += 1
            real = any(text == known.value for known in self._secrets.values())
            if not real and self._stand_ins.add(task, name, text):
                return text

    def resolve(self, task: str, text: str) -> str:
        name = self._stand_ins.resolve(task, text)
        if not name and self._standing:
            found = standing.digest(text)
            if found in self._standing:
                name = self._stand_ins.resolve(task, standing.admission(found))
        return name if name in self._specs else ""

    def canary(self, text: str) -> str:
        return self._standing.get(standing.digest(text), "") if self._standing else ""

    def admit(self, task: str, name: str) -> None:
        for found, owner in self._standing.items():
            if owner == name:
                self._stand_ins.add(task, name, standing.admission(found))

    def standing(self, name: str, secret: Secret) -> str:
        """The stand-in for a file, of a credential that is about to be added."""
        attempt = 0
        while True:
            text = same_shape(secret.value, self._surrogate_key, "", name, attempt)
            attempt += 1
            real = any(text == known.value for known in self._secrets.values())
            if not real and not self.canary(text) and text != secret.value:
                return text

    def forget(self, task: str) -> None:
        self._stand_ins.forget_task(task)
        self._borrowed = {key: each for key, each in self._borrowed.items() if key[0] != task}

    def borrow(self, task: str, name: str, secret: Secret) -> None:
        self._borrowed[task, name] = secret

    def borrowed(self, task: str, name: str) -> Secret | None:
        return self._borrowed.get((task, name))

    def redactor(self) -> Redactor:
        """Masks every secret that was loaded so far, or is borrowed by a task."""
        known = self._secrets | {f"{n} in {t}": each for (t, n), each in self._borrowed.items()}
        if self._masking != known:
            self._masking = known
            self._redactor = Redactor({name: each.value for name, each in self._masking.items()})
        return self._redactor

    def redact(self, text: str) -> str:
        """`text` with every secret that was loaded so far masked."""
        return self.redactor().mask(text)

    async def unlock(self, passphrase: Secret) -> None:
        """Use this passphrase from now on.

        Raises:
            VaultLocked: it is not the one that the secrets were stored with.
        """
        store = EncryptedFile.with_passphrase(self._state / "secrets.passphrase", passphrase)
        await _in_thread(lambda: store.get(""))
        self._passphrase = passphrase
        self._stores[PASSPHRASE] = store

    async def seal(self, about: str, data: bytes) -> bytes:
        """`data` for a file of ours that nobody else may read or change (`vault.sealing`).

        Raises:
            VaultLocked: where new secrets go does not answer.
        """
        async with self._changing:  # of two first times, one makes the key
            store = await self._store_for_new()
            return await _in_thread(lambda: sealing.seal(store, about, data))

    async def unseal(self, about: str, sealed: bytes) -> bytes:
        """What was sealed about the same. Raises VaultLocked."""
        store = await self._store(sealing.protection_of(sealed))
        return await _in_thread(lambda: sealing.unseal(store, about, sealed))

    async def forget_sealing(self) -> None:
        """Nothing that was sealed so far opens again. Raises VaultLocked."""
        store = await self._store_for_new()
        await _in_thread(lambda: sealing.forget_key(store))

    def _spec(self, name: str) -> CredentialSpec:
        try:
            return self._specs[name]
        except KeyError:
            known = ", ".join(sorted(self._specs)) or "none yet"
            raise NotFound(
                f"There is no credential {name!r}.", hint=f"There are: {known}."
            ) from None

    def _replace(self, specs: dict[str, CredentialSpec]) -> None:
        spec_file.save(self._file, specs)
        self._specs = specs
        self._listed = tuple(specs.values())
        self._standing = standing.digests(self._listed)

    async def _load(self, spec: CredentialSpec) -> Secret:
        if not spec.protection:
            raise NotFound(
                f"{spec.name} has no stored secret.", hint=f"It is minted by {spec.issuer}."
            )
        store = await self._store(spec.protection)
        sealed = await _in_thread(lambda: store.get(spec.name))
        if sealed is None:
            raise NotFound(
                f"The secret of {spec.name} is gone from the {spec.protection}.",
                hint=f"Remove it and add it again: taskpass credential remove {spec.name}",
            )
        return _opened(spec, sealed)

    async def _store_for_new(self) -> SecretStore:
        if KEYRING not in self._stores:
            found = await _in_thread(lambda: self._find_keyring(self._state))
            if found is not None:
                self._stores[KEYRING] = found
        if KEYRING in self._stores:
            return self._stores[KEYRING]
        return await self._store(PASSPHRASE if self._passphrase else FILE_KEY)

    async def _store(self, protection: str) -> SecretStore:
        if protection in self._stores:
            return self._stores[protection]
        store: SecretStore | None
        if protection == KEYRING:
            store = await _in_thread(lambda: self._find_keyring(self._state))
            if store is None:
                raise VaultLocked(
                    "The system keyring does not answer.",
                    hint="Log in to the desktop that holds it, then try again.",
                )
        elif protection == PASSPHRASE:
            if self._passphrase is None:
                raise VaultLocked(
                    "The secrets are locked by a passphrase.", hint="Unlock them first."
                )
            store = EncryptedFile.with_passphrase(
                self._state / "secrets.passphrase", self._passphrase
            )
        elif protection == FILE_KEY:
            store = EncryptedFile.with_file_key(
                self._state / "secrets.file", self._state / "secrets.key"
            )
        else:
            raise VaultLocked(
                f"{self._file} names a protection {protection!r} that there is not.",
                hint=f"It is one of: {KEYRING}, {PASSPHRASE}, {FILE_KEY}.",
            )
        self._stores[protection] = store
        return store


def _check_secret(secret: Secret, issuer: str) -> None:
    value = secret.value
    if not value and issuer == "stored":
        raise UsageError("There is no secret to store.", hint="Type it, or pass it on stdin.")
    if value and not SHORTEST <= len(value) <= LONGEST:
        raise UsageError(
            f"The secret has {len(value)} characters; it must have {SHORTEST} to {LONGEST}.",
            hint="A stand-in for a shorter one could be met by chance.",
        )
    # What an issuer works with never stands in a header: a private key has lines.
    allowed = "" if issuer == "stored" else "\n"
    if any((each < " " or each == "\x7f") and each not in allowed for each in value):
        raise UsageError(
            "The secret contains line breaks or control characters.",
            hint="A header cannot carry them. Was more than the secret pasted?",
        )


def _sealed(spec: CredentialSpec, secret: Secret) -> str:
    """What is stored: the secret and where it may go.

    `credentials.toml` is plain text; whoever edits it must not be able to redirect a secret.
    """
    return json.dumps({"secret": secret.value, "for": _binding(spec)})


def _opened(spec: CredentialSpec, sealed: str) -> Secret:
    try:
        content = json.loads(sealed)
        value, binding = content["secret"], content["for"]
    except (ValueError, KeyError, TypeError):
        raise VaultLocked(
            f"The stored secret of {spec.name} is not in our format.",
            hint=f"Remove it and add it again: taskpass credential remove {spec.name}",
        ) from None
    if binding != _binding(spec):
        raise VaultLocked(
            f"The hosts or the header of {spec.name} were changed outside taskpass.",
            hint=f"If that was you: taskpass credential remove {spec.name}, then add it again.",
        )
    return Secret(value)


def _binding(spec: CredentialSpec) -> dict[str, object]:
    return {
        "issuer": spec.issuer,
        "hosts": list(spec.hosts),
        "header": spec.header,
        "scheme": spec.scheme,
        "env": spec.env,
        # Where an issuer goes with it (a token endpoint) is in these.
        **({"options": dict(spec.options)} if spec.options else {}),
    }


async def _in_thread(work: Callable[[], _T]) -> _T:
    try:
        return await asyncio.wait_for(
            asyncio.get_running_loop().run_in_executor(None, work), _PATIENCE
        )
    except TimeoutError:
        raise VaultLocked(
            "The keyring did not answer in time.", hint="Is it asking to be unlocked?"
        ) from None
