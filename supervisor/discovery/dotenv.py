"""`.env` files of the workspace: which of their secrets an import would move, and which not.

What is a secret, and where it is good, is known to `imports.classify`. Only names are told.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from supervisor.discovery.found import Found, Place, Text, Way, listed, read
from supervisor.errors import UsageError
from supervisor.imports.plan import Contents, contents
from supervisor.process.search import secrets_in
from supervisor.process.secret_places import is_dotenv

_SECONDS = 0.2  # to look through the workspace: the person waits
_LIVE = ("sk_live_", "rk_live_")  # keys that move real money


def find(place: Place) -> Iterator[Found]:
    if not place.workspace:
        return
    untracked = secrets_in([place.workspace], strict=False, seconds=_SECONDS).paths
    for path in secrets_in([place.workspace], strict=True, seconds=_SECONDS).paths:
        file = read(path) if is_dotenv(os.path.basename(path)) else None
        if file is None:
            continue
        try:
            found = contents(file.text.encode("utf-8", "surrogateescape"), place.stands_in)
        except UsageError:
            yield Found("dotenv", path, "cannot be read as such", since=file.changed)
            continue
        if any(row.secret for row in found.rows):
            yield _told(file, found, in_git=path not in untracked)


def _told(file: Text, found: Contents, *, in_git: bool) -> Found:
    moving = [row for row in found.rows if row.credential]
    left = [row for row in found.rows if row.secret and not row.credential]
    live = {each.variable for each in found.moving if each.secret.startswith(_LIVE)}
    kept = [row.name or "a comment" for row in left]
    names = tuple(row.name for row in moving) or tuple(kept)
    told = listed(f"{name} (live!)" if name in live else name for name in names)
    if moving and kept:
        told += f"; stays: {listed(kept)}"
    stays = tuple(f"{row.name or 'a comment'}: {row.why}" for row in left)
    return Found(
        "dotenv",
        file.path,
        f"{told}, in git" if in_git else told,
        Way.IMPORT if moving and not in_git else Way.HIDE,
        hosts=tuple(dict.fromkeys(host for row in moving for host in row.hosts)),
        names=tuple(dict.fromkeys(names)),
        since=file.changed,
        stays=stays,
    )
