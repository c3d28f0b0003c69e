"""Other places that hold log-ins, of which only is told that they exist."""

from __future__ import annotations

import os
from collections.abc import Iterator

from supervisor.discovery.found import Found, Place, read
from supervisor.process.secret_places import in_home

_HISTORY = ("_history",)
# What the other readers know better: where they find no log-in in it, there is none.
_READ = (
    ".ssh", ".aws", ".config/gcloud", ".kube", ".docker/config.json", ".netrc",
    ".git-credentials", ".config/git/credentials", ".config/gh", ".npmrc", ".pypirc",
    ".cargo/credentials.toml", ".terraform.d/credentials.tfrc.json",
)  # fmt: skip


def find(place: Place) -> Iterator[Found]:
    known = {os.path.join(place.home, name) for name in _READ}
    for path in in_home(place.home):
        if not os.path.lexists(path) or path.endswith(_HISTORY):
            continue
        if path not in known or not _can_be_read(path):
            yield Found("other", path, "")


def _can_be_read(path: str) -> bool:
    return os.path.isdir(path) or read(path) is not None
