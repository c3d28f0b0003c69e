"""What a reader says about one log-in, and where readers look. Never a secret's value."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from supervisor.safefiles import plain

_LARGEST = 1024 * 1024  # bytes of a file that are looked at


class Way(StrEnum):
    """What taskpass can do about it."""

    REFERENCE = "reference"  # lend it; it stays where it is and is asked for at each use
    IMPORT = "import"  # lend it; the file keeps stand-ins, the vault the secrets
    HIDE = "hide"  # keep it from contained tasks; it is not lent


@dataclass(frozen=True, slots=True)
class Found:
    """One log-in that lies about.

    Attributes:
        kind: of program or format, one word: "gh", "dotenv", "aws" …
        path: absolute; "" where it lies in no file.
        what: whose, which, how strong, as can be told without asking anybody.
        hosts: what it opens, as far as the file says; "" never.
        names: variables, profiles or accounts in it.
        since: POSIX seconds, when it was made or last changed; 0 unknown.
        expires: POSIX seconds; 0 unknown or never.
        reference: where to ask for it, for Way.REFERENCE ("cmd://…").
        header, scheme: how it is sent, for Way.REFERENCE.
        stays: secrets that would stay where they are after Way.IMPORT, each with the reason.
    """

    kind: str
    path: str
    what: str
    way: Way = Way.HIDE
    hosts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    since: float = 0.0
    expires: float = 0.0
    reference: str = ""
    header: str = "authorization"
    scheme: str = "Bearer"
    stays: tuple[str, ...] = ()


def _none(text: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look.

    Attributes:
        home: the person's.
        workspace: of the task that is about to start, "" for none.
        environ: of the terminal.
        stands_in: for which credential a text in a file is the stand-in, "" for none.
    """

    home: str
    workspace: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    stands_in: Callable[[str], str] = _none

    def named(self, variable: str, *default: str) -> str:
        """The path in a variable, else the one below the home."""
        given = self.environ.get(variable, "")
        if given:
            return os.path.join(self.home, os.path.expanduser(given))
        return os.path.join(self.home, *default)

    def config(self, *name: str) -> str:
        """A path below XDG_CONFIG_HOME."""
        given = self.environ.get("XDG_CONFIG_HOME", "")
        base = given if given.startswith("/") else os.path.join(self.home, ".config")
        return os.path.join(base, *name)

    def files(self, *names: str) -> Iterable[str]:
        """These in the home and, where that is another place, in the workspace."""
        for folder in dict.fromkeys((self.home, self.workspace)):
            yield from (os.path.join(folder, name) for name in names if folder)


@dataclass(frozen=True, slots=True)
class Text:
    """A file as it was found."""

    path: str
    text: str
    changed: float  # POSIX seconds


def read(path: str) -> Text | None:
    """A regular file of text, links followed; None where there is none that can be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with plain(descriptor) as file:
            changed = os.fstat(descriptor).st_mtime
            text = file.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return None
    return Text(path, text, changed)


def listed(names: Iterable[str], most: int = 3) -> str:
    """Names in a line: "a, b, c +2"."""
    each = list(dict.fromkeys(names))
    more = f" +{len(each) - most}" if len(each) > most else ""
    return ", ".join(each[:most]) + more


def host_of(url: str) -> str:
    """Host, and port where it names one, of a URL or of what looks like one; "" for none."""
    rest = url.partition("://")[2] or url
    return rest.partition("/")[0].rpartition("@")[2].lower()
