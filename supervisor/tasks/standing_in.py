"""Which stand-ins a task starts with, and what it borrows from the terminal it is started in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from supervisor.errors import TaskpassError
from supervisor.model import CredentialSpec, Task
from supervisor.ports import Secret, Vault
from supervisor.vault import references
from supervisor.vault.standing import FILE, lent_in

log = logging.getLogger("supervisor")


async def variables(vault: Vault, task: Task, environ: Mapping[str, str]) -> dict[str, str]:
    """What credentials set in a task's environment: their variables, with a stand-in in each.

    One that was imported from a file is lent only where that file lies; its stand-in in the file
    is good there too.

    A reference to a variable (`env://NAME`) is looked up here and held in memory for this task;
    NAME itself is set to the same stand-in, so that it is never passed on.

    Args:
        environ: of the terminal that the task is started from.

    Raises:
        VaultLocked: a secret's shape cannot be read now.
    """
    setting = {spec.name: {spec.env, _named(spec)} - {""} for spec in _lent(vault, task)}
    for spec in _lent(vault, task):
        if value := environ.get(_named(spec)):
            vault.borrow(task.id, spec.name, Secret(value))
    texts = await vault.equip(task.id, [name for name, found in setting.items() if found])
    return {variable: text for name, text in texts.items() for variable in setting[name]}


def names(vault: Vault, workspace: str) -> tuple[str, ...]:
    """The variables that credentials set in the tasks of a workspace."""
    specs = [spec for spec in vault.specs() if lent_in(spec, workspace)]
    return tuple(sorted({name for spec in specs for name in (spec.env, _named(spec)) if name}))


async def files(vault: Vault, workspace: str) -> tuple[str, ...]:
    """Imported files of a workspace that hold nothing but stand-ins: a task may read them."""
    if not any(FILE in spec.options and lent_in(spec, workspace) for spec in vault.specs()):
        return ()
    from supervisor.imports.showing import safe_to_show

    return await asyncio.to_thread(safe_to_show, vault, workspace)


def _named(spec: CredentialSpec) -> str:
    """The variable whose value the credential is, "" where it is no such."""
    text = spec.options.get(references.FROM, "")
    return references.parse(text).variable if text.startswith("env://") else ""


def _lent(vault: Vault, task: Task) -> list[CredentialSpec]:
    return [spec for spec in vault.specs() if lent_in(spec, task.workspace)]


async def restore(vault: Vault, task: Task) -> None:
    """Know the stand-ins of a task that an earlier supervisor started; its environment holds
    them already, and without the vault they are worth nothing."""
    for spec in _lent(vault, task):
        if spec.env or _named(spec):
            try:
                await vault.equip(task.id, [spec.name])
            except TaskpassError as error:
                log.warning("%s has no stand-in in %s: %s", spec.name, task.id, error)
