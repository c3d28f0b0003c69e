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
    given: dict[str, str] = {}
    for spec in vault.specs():
        if not lent_in(spec, task.workspace):
            continue
        vault.admit(task.id, spec.name)
        named = _named(spec)
        if named and environ.get(named):
            vault.borrow(task.id, spec.name, Secret(environ[named]))
        for variable in {spec.env, named} - {""}:
            given[variable] = await vault.surrogate(spec.name, task.id)
    return given


async def files(vault: Vault, workspace: str) -> tuple[str, ...]:
    """Imported files of a workspace that hold nothing but stand-ins: a task may read them."""
    if not any(FILE in spec.options and lent_in(spec, workspace) for spec in vault.specs()):
        return ()
    from supervisor.imports.showing import safe_to_show

    return await asyncio.to_thread(safe_to_show, vault, workspace)


def _named(spec: CredentialSpec) -> str:
    """The variable whose value the credential is, "" where it is no such."""
    text = spec.options.get(references.FROM, "")
    return references.parse(text).variable if text else ""


async def restore(vault: Vault, task: Task) -> None:
    """Know the stand-ins of a task that an earlier supervisor started; its environment holds
    them already, and without the vault they are worth nothing."""
    for spec in vault.specs():
        if (spec.env or _named(spec)) and lent_in(spec, task.workspace):
            try:
                vault.admit(task.id, spec.name)
                await vault.surrogate(spec.name, task.id)
            except TaskpassError as error:
                log.warning("%s has no stand-in in %s: %s", spec.name, task.id, error)
