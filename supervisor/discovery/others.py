"""Other places that hold log-ins, of which only is told that they exist."""

from __future__ import annotations

import os
from collections.abc import Iterator

from supervisor.discovery.found import Found, Place
from supervisor.process.secret_places import in_home

_HISTORY = ("_history",)


def find(place: Place) -> Iterator[Found]:
    for path in in_home(place.home):
        if os.path.lexists(path) and not path.endswith(_HISTORY):
            yield Found("other", path, "")
