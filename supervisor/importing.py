"""Imports a `.env`: values that are bound to a host move to the vault, stand-ins take their place.

The file holds one stand-in for all tasks, unlike a task's environment. It is good only in tasks
whose workspace holds the file; anywhere else it is a canary.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from supervisor.errors import Denied, TaskpassError, UsageError
from supervisor.imports import dotenv
from supervisor.imports.plan import Contents, Moving, contents
from supervisor.imports.repository import Tracked, tracked
from supervisor.model import CredentialSpec
from supervisor.ports import LedgerStore, Secret
from supervisor.protocol.imports import CarryOutImport, Imported, ImportPlan, PlanImport
from supervisor.undo import CredentialStep, FileStep, Journal, digest, file_step, put
from supervisor.vault.standing import spec_options
from supervisor.vault.store import FileVault


@dataclass(frozen=True, slots=True)
class Importing:
    """What an import needs."""

    vault: FileVault
    journal: Journal
    ledger: LedgerStore

    async def plan(self, asked: PlanImport) -> ImportPlan:
        """What would be done; nothing is changed.

        Raises:
            UsageError: the file cannot be imported.
        """
        step, notes = await asyncio.to_thread(_look, asked.path)
        return _told(asked.path, step, self._contents(step, asked), notes)

    async def carry_out(self, asked: CarryOutImport) -> Imported:
        """Do it: all of it or nothing.

        Raises:
            UsageError, VaultLocked, ConfigError: nothing was changed.
            Denied: the file is not as it was when it was planned; nothing was changed.
        """
        path = asked.plan.path
        step, notes = await asyncio.to_thread(_look, path)
        assert step.before is not None
        if digest(step.before.content) != asked.digest:
            raise _changed(path)
        found = self._contents(step, asked.plan)
        told = _told(path, step, found, notes)
        if not found.moving:
            return Imported(plan=told)
        standing = {
            each.credential: self.vault.standing(each.credential, Secret(each.secret))
            for each in found.moving
        }
        content = dotenv.replaced(
            found.file, {each.secret: standing[each.credential] for each in found.moving}
        )
        step = FileStep(path, step.before, digest(content))
        credentials = [CredentialStep(each.credential) for each in found.moving]
        count = len(found.moving)
        what = f"moved {count} secret{'s' if count > 1 else ''} of {path} into the vault"
        # Durable before anything is changed: a crash from here on leaves something to undo.
        entry = await self.journal.record(what, [step, *credentials])
        added: list[str] = []
        try:
            for each in found.moving:
                await self.vault.add(
                    _spec(each, path, standing[each.credential]), Secret(each.secret)
                )
                added.append(each.credential)
            await self.ledger.append(
                "credential.imported", {"path": path, "names": added, "undo": entry.id}
            )
            await asyncio.to_thread(_write, path, content, step)
        except BaseException:
            for name in added:
                await self.vault.remove(name)
            self.journal.forget(entry.id)
            raise
        return Imported(plan=told, undo=entry.id)

    def _contents(self, step: FileStep, asked: PlanImport) -> Contents:
        assert step.before is not None
        taken = {spec.name for spec in self.vault.specs()}
        return contents(step.before.content, self.vault.canary, taken, asked.bind, asked.leave)


def _look(path: str) -> tuple[FileStep, list[str]]:
    """The file as it is, and what git knows of it."""
    if not os.path.isabs(path) or os.path.normpath(path) != path:
        raise UsageError(f"{path} is no absolute path.")
    if os.path.realpath(path) != path:
        raise UsageError(
            f"{path} leads through a link to {os.path.realpath(path)}.", hint="Name that one."
        )
    step = file_step(path, after=None)
    if step.before is None:
        raise UsageError(f"There is no file {path}.")
    known = tracked(path)
    if known is Tracked.NOW:
        raise UsageError(
            f"git tracks {path}: its secrets are in the history, and the stand-ins would be "
            "committed over them.",
            hint="Have them made anew where they come from, `git rm --cached` the file, ignore "
            "it, then import it.",
        )
    notes = []
    if known is Tracked.ONCE:
        notes.append(
            "git's history holds an earlier version of this file: whoever has the repository can "
            "read what was in it. Have those secrets made anew where they come from."
        )
    if known is Tracked.UNKNOWN:
        notes.append("git could not be asked whether its history holds this file.")
    return step, notes


def _told(path: str, step: FileStep, found: Contents, notes: list[str]) -> ImportPlan:
    assert step.before is not None
    return ImportPlan(
        path=path,
        digest=digest(step.before.content),
        rows=found.rows,
        notes=tuple(notes),
        shown=found.safe,
    )


def _spec(moving: Moving, path: str, stand_in: str) -> CredentialSpec:
    provider = moving.provider
    return CredentialSpec(
        name=moving.credential,
        issuer="stored",
        hosts=provider.hosts,
        env=moving.variable,
        header=provider.header,
        scheme=provider.scheme,
        options=spec_options(path, stand_in),
    )


def _write(path: str, content: bytes, step: FileStep) -> None:
    """Raises Denied where somebody has written to the file since it was read."""
    try:
        now = file_step(path, after=None).before
    except TaskpassError:
        now = None
    if now is None or step.before is None or now.content != step.before.content:
        raise _changed(path)
    put(path, content, step.before)


def _changed(path: str) -> Denied:
    return Denied(f"{path} was changed meanwhile; nothing was imported.", hint="Try again.")
