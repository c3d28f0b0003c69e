"""The vault: specs in a plain file, secrets in a protected store, stand-ins in memory."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Sequence
from dataclasses import replace

from supervisor.errors import NotFound, UsageError, VaultLocked
from supervisor.model import CredentialSpec
from supervisor.paths import Paths, private_file
from supervisor.ports import Secret, Vault
from supervisor.vault import sealing, standing
from supervisor.vault import specs as spec_file
from supervisor.vault.backend import SecretStore
from supervisor.vault.binding import check_secret, opened, sealed
from supervisor.vault.known import KnownSecrets
from supervisor.vault.redact import Redactor
from supervisor.vault.standins import StandIns
from supervisor.vault.stores import FindKeyring, Stores, in_thread
from supervisor.vault.surrogate import like_a_token, same_shape, shape_of
from supervisor.vault.system_keyring import find_keyring


def open_vault(
    paths: Paths, *, passphrase: Secret | None = None, keyring: FindKeyring = find_keyring
) -> FileVault:
    """The vault of this install.

    Where new secrets go, `vault.stores` says. Each spec says where its own lies (`protection`),
    and it is only ever looked for there.

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
        self._stores = Stores(paths.state, passphrase, keyring)
        self._specs = spec_file.load(self._file)
        self._listed = tuple(self._specs.values())
        self._standing = standing.digests(self._listed)
        self._known = KnownSecrets()
        self._stand_ins = StandIns(paths.runtime / "stand-ins.json")
        self._surrogate_key = private_file(self._state / "surrogate.key", lambda: os.urandom(32))
        self._changing = asyncio.Lock()

    def specs(self) -> Sequence[CredentialSpec]:
        return self._listed

    async def secret(self, name: str) -> Secret:
        spec = self._spec(name)
        secret = self._known.get(name)
        if secret is None:
            secret = await self._load(spec)
            if self._specs.get(name) is not spec:  # removed, or made anew, meanwhile
                return await self.secret(name)
            self._known.keep(name, secret)
        return secret

    async def add(self, spec: CredentialSpec, secret: Secret) -> None:
        """Keep a credential; an empty `secret` for issuers that mint.

        Raises:
            UsageError: the name is taken, or spec or secret cannot be used.
            VaultLocked: the store does not take it. Nothing is left behind.
        """
        spec_file.check(spec)
        check_secret(secret, spec.issuer)
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
                await in_thread(lambda: store.put(spec.name, sealed(spec, secret)))
                self._stores.pin(store.protection)
            else:
                spec = replace(spec, protection="")
            try:
                self._replace({**self._specs, spec.name: spec})
            except Exception:
                if secret.value:
                    await in_thread(lambda: store.delete(spec.name))
                raise
            if secret.value:
                self._known.keep(spec.name, secret)

    async def remove(self, name: str) -> None:
        """Forget a credential: its secret first, so that a crash leaves no secret unlisted.

        Raises:
            NotFound, VaultLocked.
        """
        async with self._changing:
            spec = self._spec(name)
            if spec.protection:
                store = await self._stores.of(spec.protection)
                await in_thread(lambda: store.delete(name))
            self._known.drop(name)
            self._replace({key: value for key, value in self._specs.items() if key != name})
            self._stand_ins.forget_name(name)

    async def rotate(self, name: str, secret: Secret) -> None:
        async with self._changing:
            spec = self._spec(name)
            if not spec.protection:
                raise UsageError(
                    f"{name} has no stored secret to replace.", hint=f"It is made by {spec.issuer}."
                )
            check_secret(secret, spec.issuer)
            store = await self._stores.of(spec.protection)
            await in_thread(lambda: store.put(name, sealed(spec, secret)))
            # A new spec, the same as before: who is reading the old secret reads again.
            self._specs = {**self._specs, name: replace(spec)}
            self._listed = tuple(self._specs.values())
            self._known.keep(name, secret)

    async def surrogate(self, name: str, task: str) -> str:
        shape = await self._shape(name)
        for attempt in itertools.count():
            text = self._text(name, task, shape, attempt)
            if text and self._stand_ins.add(task, name, text):
                return text
        raise AssertionError("unreachable")

    async def equip(self, task: str, names: Sequence[str]) -> dict[str, str]:
        shapes = {name: await self._shape(name) for name in names}
        admitted = [
            (name, standing.admission(found))
            for found, name in self._standing.items()
            if name in shapes
        ]
        for attempt in itertools.count():
            texts = {name: self._text(name, task, shapes[name], attempt) for name in names}
            pairs = [*texts.items(), *admitted]
            if all(texts.values()) and self._stand_ins.add_all(task, pairs):
                return texts
        raise AssertionError("unreachable")

    async def _shape(self, name: str) -> str:
        """A text of the shape that stand-ins get, "" for that of a token."""
        spec = self._spec(name)
        shape = shape_of(spec)
        if not shape and spec.issuer == "stored":
            shape = (await self.secret(name)).value
        return shape

    def _text(self, name: str, task: str, shape: str, attempt: int) -> str:
        """A stand-in, "" where it would be a real secret."""
        if shape:
            text = same_shape(shape, self._surrogate_key, task, name, attempt)
        else:
            text = like_a_token(self._surrogate_key, task, name, attempt)
        return "" if self._known.is_own(text) else text

    def resolve(self, task: str, text: str) -> str:
        name = self._stand_ins.resolve(task, text)
        if not name and self._standing:
            found = standing.digest(text)
            if found in self._standing:
                name = self._stand_ins.resolve(task, standing.admission(found))
        return name if name in self._specs else ""

    def canary(self, text: str) -> str:
        return self._standing.get(standing.digest(text), "") if self._standing else ""

    def standing(self, name: str, secret: Secret) -> str:
        """The stand-in for a file, of a credential that is about to be added."""
        for attempt in itertools.count():
            text = self._text(name, "", secret.value, attempt)
            if text and not self.canary(text):
                return text
        raise AssertionError("unreachable")

    def forget(self, task: str) -> None:
        self._stand_ins.forget_task(task)
        self._known.give_back(task)

    def borrow(self, task: str, name: str, secret: Secret) -> None:
        self._known.borrow(task, name, secret)

    def borrowed(self, task: str, name: str) -> Secret | None:
        return self._known.borrowed(task, name)

    def redactor(self) -> Redactor:
        """Masks every secret that was loaded so far, or is borrowed by a task."""
        return self._known.redactor()

    def redact(self, text: str) -> str:
        """`text` with every secret that was loaded so far masked."""
        return self._known.redactor().mask(text)

    @property
    def locked(self) -> bool:
        """Whether there are secrets that wait for the passphrase."""
        return self._stores.locked

    @property
    def has_passphrase(self) -> bool:
        """Whether there are secrets under a passphrase, locked or not."""
        return self._stores.has_passphrase

    async def keyring_answers(self) -> bool:
        return await self._stores.keyring() is not None

    async def protection(self) -> str:
        """Where a new secret would go, in words. Raises VaultLocked."""
        return (await self._store_for_new()).protection

    async def unlock(self, passphrase: Secret) -> None:
        """Use this passphrase from now on.

        Raises:
            VaultLocked: it is not the one that the secrets were stored with.
        """
        await self._stores.unlock(passphrase)

    async def protect(self, protection: str) -> tuple[str, ...]:
        """Keep everything there from now on: move what lies elsewhere.

        May be called again after it was interrupted: what was moved and is still in its old
        place is then taken away there.

        Returns:
            Names of what was moved.

        Raises:
            VaultLocked: one of the places does not answer; each secret is still somewhere.
        """
        async with self._changing:
            store = await self._stores.of(protection)
            moved = [
                spec for spec in self._listed if spec.protection and spec.protection != protection
            ]
            places = [(await self._stores.of(spec.protection), spec.name) for spec in moved]
            others = await self._stores.others(protection)
            await in_thread(lambda: _copy(places, others, store))
            specs = dict(self._specs)
            specs |= {spec.name: replace(spec, protection=protection) for spec in moved}
            self._replace(specs)
            self._stores.pin(protection)
            kept = [spec.name for spec in self._listed if spec.protection == protection]
            await in_thread(lambda: _drop(others, kept))
            return tuple(spec.name for spec in moved)

    async def seal(self, about: str, data: bytes) -> bytes:
        """`data` for a file of ours that nobody else may read or change (`vault.sealing`).

        Raises:
            VaultLocked: where new secrets go does not answer.
        """
        async with self._changing:  # of two first times, one makes the key
            store = await self._store_for_new()
            text = await in_thread(lambda: sealing.seal(store, about, data))
            self._stores.pin(store.protection)
            return text

    async def unseal(self, about: str, text: bytes) -> bytes:
        """What was sealed about the same. Raises VaultLocked."""
        try:
            store = await self._stores.of(sealing.protection_of(text))
            here = await in_thread(lambda: sealing.has_key(store))
        except VaultLocked:
            here = False
        if not here:  # everything was moved from there (`protect`)
            store = await self._store_for_new()
        return await in_thread(lambda: sealing.unseal(store, about, text))

    async def forget_sealing(self) -> None:
        """Nothing that was sealed so far opens again. Raises VaultLocked."""
        store = await self._store_for_new()
        await in_thread(lambda: sealing.forget_key(store))

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
        store = await self._stores.of(spec.protection)
        text = await in_thread(lambda: store.get(spec.name))
        if text is None:
            raise NotFound(
                f"The secret of {spec.name} is gone from the {spec.protection}.",
                hint=f"Remove it and add it again: taskpass credential remove {spec.name}",
            )
        return opened(spec, text)

    async def _store_for_new(self) -> SecretStore:
        used = next((spec.protection for spec in self._listed if spec.protection), "")
        return await self._stores.for_new(used)


def _copy(
    places: Sequence[tuple[SecretStore, str]], others: Sequence[SecretStore], new: SecretStore
) -> None:
    for old, name in places:
        text = old.get(name)
        if text is not None:
            new.put(name, text)
    for old in others:
        sealing.move_key(old, new)


def _drop(stores: Sequence[SecretStore], names: Sequence[str]) -> None:
    for store in stores:
        for name in names:
            store.delete(name)
