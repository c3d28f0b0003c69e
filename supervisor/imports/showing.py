"""Which imported files hold no secret any more, so that tasks may see them."""

from __future__ import annotations

import os

from supervisor.errors import TaskpassError
from supervisor.imports.plan import contents
from supervisor.ports import Vault
from supervisor.process.containment import within
from supervisor.undo import file_step
from supervisor.vault.standing import FILE


def safe_to_show(vault: Vault, workspace: str) -> tuple[str, ...]:
    """Imported files below `workspace` that hold no secret any more, as far as can be seen.

    Looked at anew for each task: somebody may have written a new secret into one. Blocking.
    """
    workspace = os.path.realpath(workspace)
    paths = {spec.options[FILE] for spec in vault.specs() if spec.options.get(FILE)}
    return tuple(sorted(path for path in paths if within(path, workspace) and _safe(vault, path)))


def _safe(vault: Vault, path: str) -> bool:
    try:
        before = file_step(path, after=None).before
    except TaskpassError:
        return False
    if before is None or os.path.realpath(path) != path:
        return False
    found = contents(before.content, vault.canary)
    return not any(row.secret for row in found.rows)
