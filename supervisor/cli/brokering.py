"""What one key of the first run does: lends what was chosen, each undoable by itself."""

from __future__ import annotations

import asyncio
import os

from supervisor.client_setup import SetupClient
from supervisor.discovery import Found
from supervisor.discovery.offers import Offer, offer
from supervisor.errors import Denied, TaskpassError, UsageError
from supervisor.process.containment import within
from supervisor.protocol.credentials import TestCredential
from supervisor.protocol.imports import PlanImport
from supervisor.protocol.setup import RecordUndo
from supervisor.protocol.wire import AddCredential
from supervisor.vault import references
from supervisor.vault.surrogate import template

_GITHUB_API = "api.github.com"
_TRIAL = 3.0  # seconds that a person waits to see whether it works


async def broker(client: SetupClient, found: Found, workspace: str) -> str:
    """Lend one log-in, by reference or by import; in words what was done.

    Raises:
        TaskpassError: it is not lent, or does not work.
    """
    lent = offer(found)
    if lent is not None:
        return await _lend(client, lent, workspace)
    return await _import(client, found)


async def _lend(client: SetupClient, lent: Offer, workspace: str) -> str:
    """Add one credential by reference, undoable; in words what was done."""
    if any(view.name == lent.name for view in await client.credentials()):
        return f"{lent.name} is lent already."
    options = _reference(lent, workspace)
    entry = await client.record_undo(RecordUndo(what=lent.what, credentials=(lent.name,)))
    try:
        await client.add_credential(
            AddCredential(
                name=lent.name,
                issuer="reference",
                hosts=lent.hosts,
                env=lent.env,
                header=lent.header,
                scheme=lent.scheme,
                options=options,
                secret="",
            )
        )
    except TaskpassError:
        await client.forget_undo(entry.id)
        raise
    works = await _tried(client, lent)
    return f"{lent.name}: {lent.what}, by use{works}; taken back by `taskpass undo {entry.id}`"


async def _tried(client: SetupClient, lent: Offer) -> str:
    """One harmless request with it, and what came; "" where nothing did in time.

    Raises:
        Denied: it is refused. It stays lent, since its program may be logged in anew.
    """
    if _GITHUB_API not in lent.hosts or lent.reference.startswith("env://"):
        return ""
    asked = TestCredential(host=_GITHUB_API, path="/user")
    try:
        async with asyncio.timeout(_TRIAL):
            status = (await client.test_credential(lent.name, asked)).status
    except (TimeoutError, TaskpassError):
        return ""
    if status == 401:
        raise Denied(
            f"{lent.name}: gh's token is refused by {_GITHUB_API} (401).",
            hint="Log in anew with `gh auth login`; it is asked again at the next use.",
        )
    return f", and GET /user answers {status}"


def _reference(lent: Offer, workspace: str) -> dict[str, str]:
    """Options of a credential by reference.

    Raises:
        UsageError: the program that is asked for it is missing, or lies where tasks can write.
    """
    options = references.options_for(lent.reference, os.environ)
    if variable := references.parse(lent.reference).variable:
        # Stand-ins get the shape of what is set here now; the value stays where it is.
        return {**options, "shape": template(os.environ[variable])}
    program = os.path.realpath(options[references.PROGRAM])
    if within(program, os.path.realpath(workspace)):
        raise UsageError(
            f"{program} lies in the project, where a task could change it: it is not asked.",
            hint="Take the project out of PATH, then run `taskpass setup`.",
        )
    return options | ({"forge": lent.forge} if lent.forge else {})


async def _import(client: SetupClient, found: Found) -> str:
    """Move what was shown of a file into the vault, undoable; in words what was done."""
    asked = PlanImport(path=_real(found.path))
    name = os.path.basename(asked.path)
    plan = await client.plan_import(asked)
    moving = {row.name for row in plan.rows if row.credential}
    if not moving <= set(found.names):
        raise UsageError(f"{name} was changed meanwhile; it is left as it is.")
    done = await client.carry_out_import(asked, plan.digest)
    what = ", ".join(sorted(moving))
    return f"{name}: {what} moved to the vault; taken back by `taskpass undo {done.undo}`"


def _real(path: str) -> str:
    """With the directories' links resolved; one in the last place is refused by the import."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)
