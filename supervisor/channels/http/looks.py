"""Whose bodies are looked at before they are judged: by the last segment of their path."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.channels.git import lfs, pushes, refs
from supervisor.channels.http import graphql
from supervisor.channels.http.peek import Look

LOOKS: Mapping[str, Look] = {
    "graphql": graphql.LOOK,
    "git-receive-pack": pushes.LOOK,
    "refs": refs.LOOK,
    "batch": lfs.LOOK,
}


def look_at(path: str) -> Look | None:
    """The look for requests to this path, None for almost all."""
    return LOOKS.get(path.rpartition("/")[2] or path[:-1].rpartition("/")[2])
