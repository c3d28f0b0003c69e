"""`.env` files of the workspace, and which of their variables look like secrets.

There is no standard for the format; read is what all dialects share (the dotenv project's README):
`NAME=value` and `export NAME=value`, quoted or not. Only the names are told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from supervisor.discovery.found import Found, Place, Way, listed, read
from supervisor.discovery.variables import secret_names
from supervisor.process.search import secrets_in
from supervisor.process.secret_places import is_dotenv

_LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*=[ \t]*(.*)$", re.MULTILINE)
_SECONDS = 0.2  # to look through the workspace: the person waits


def find(place: Place) -> Iterator[Found]:
    if not place.workspace:
        return
    for path in secrets_in([place.workspace], strict=True, seconds=_SECONDS).paths:
        file = read(path) if is_dotenv(os.path.basename(path)) else None
        if file is None:
            continue
        values = {name: value.strip().strip("\"'") for name, value in _LINE.findall(file.text)}
        names = tuple(secret_names(values))
        if names:
            told = _told(values, names)
            yield Found("dotenv", path, told, Way.IMPORT, names=names, since=file.changed)


def _told(values: dict[str, str], names: tuple[str, ...]) -> str:
    """The names; a key that is known to move real money says so."""
    live = {name for name in names if values[name].startswith(("sk_live_", "rk_live_"))}
    return listed(f"{name} (live!)" if name in live else name for name in names)
