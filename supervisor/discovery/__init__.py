"""Which log-ins lie about in a home and a workspace: pure readers, one for each kind of place.

Nothing is asked of anybody, nothing is changed, and no value leaves a reader.
"""

from __future__ import annotations

import os

from supervisor.discovery import (
    clouds,
    dotenv,
    github,
    others,
    passwords,
    registries,
    ssh,
    variables,
)
from supervisor.discovery.found import Found, Place, Way

__all__ = ["Found", "Place", "Way", "discover"]

_READERS = (github, dotenv, passwords, registries, clouds, ssh, variables)


def discover(place: Place) -> tuple[Found, ...]:
    """Everything the readers find: first what can be lent, then what can be hidden."""
    found = [each for reader in _READERS for each in reader.find(place)]
    told = [each.path for each in found if each.path]
    found += [
        each
        for each in others.find(place)
        if not any(path == each.path or path.startswith(each.path + os.sep) for path in told)
    ]
    return tuple(sorted(found, key=lambda each: each.way is Way.HIDE))
