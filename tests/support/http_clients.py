"""The HTTP clients that agents' work is done with, as real programs, kept in the account's cache.

What the machine has is taken from it (curl, git); Python's libraries go into a directory of their
own, gh comes from Debian's package, unpacked without root, node and npm as for the agents.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.agents import NODE, cache_dir, install, install_wheels, locked
from tests.support.gh import find_gh

LIBRARIES = ("requests", "httpx", "aiohttp", "boto3", "pip")


@dataclass(frozen=True, slots=True)
class Clients:
    """Where they are. `shown`: what a task has to be shown of the machine for them."""

    python: str
    libraries: Path
    node_bin: Path
    gh: str

    @property
    def shown(self) -> tuple[str, ...]:
        places = [str(self.libraries), str(self.node_bin.parent), str(Path(self.gh).parent)]
        if not sys.base_prefix.startswith("/usr"):
            places.append(sys.base_prefix)
        return tuple(place for place in places if not place.startswith("/usr"))


def clients() -> Clients:
    """All of them, installed where they are not yet."""
    node = install(NODE) / "node_modules/node/bin"
    python = f"{sys.base_prefix}/bin/python3.{sys.version_info.minor}"
    return Clients(python, _libraries(), node, find_gh())


def _libraries() -> Path:
    target = cache_dir() / f"http-libraries-3.{sys.version_info.minor}"
    with locked(target.name):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            install_wheels(partial, *LIBRARIES)
            partial.rename(target)
    return target
