"""One change of a file, and what makes it worth a second look. Pure."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from supervisor.effects.labels import label_of

_RISKS = {
    "git-hooks": "git runs it",
    "git-config": "git reads programs to run from it",
    "agent-settings": "decides what agents may do",
    "policy": "decides what tasks may do",
    "startup": "runs by itself when a shell starts",
    "executes": "runs without being called",
    "ci": "runs with the repository's secrets once it is pushed",
    "dotenv": "is where secrets are kept",
    "keys": "is where log-ins are kept",
    "model-login": "is where log-ins are kept",
}


class Kind(StrEnum):
    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


class Type(StrEnum):
    NONE = ""  # nothing there
    FILE = "file"
    LINK = "link"
    DIRECTORY = "directory"
    SPECIAL = "special"  # a socket, pipe or device: shown, never applied

    @classmethod
    def of(cls, mode: int) -> Type:
        """`mode`: st_mode."""
        if stat.S_ISREG(mode):
            return cls.FILE
        if stat.S_ISLNK(mode):
            return cls.LINK
        return cls.DIRECTORY if stat.S_ISDIR(mode) else cls.SPECIAL


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one path.

    Attributes:
        path: below the workspace, as the system says it (bytes that are no text are escaped by
            `os.fsdecode`).
        before, after: what was and is there.
        mode: permission bits afterwards; `mode_before` those it had.
        size: bytes afterwards, of a file.
        target: where a link leads afterwards.
        digest: of a file's content afterwards, "sha256:<hex>".
        risk: why to look twice, "" for no reason.
        conflict: why it cannot be applied as it is, "" when it can.
    """

    path: str
    before: Type
    after: Type
    mode: int = 0
    mode_before: int = 0
    size: int = 0
    target: str = ""
    digest: str = ""
    risk: str = ""
    conflict: str = ""

    @property
    def kind(self) -> Kind:
        if self.before is Type.NONE:
            return Kind.ADDED
        return Kind.DELETED if self.after is Type.NONE else Kind.MODIFIED

    @property
    def shown(self) -> str:
        """The path as text that any screen can show, one line, nothing in it to obey."""
        return printable(self.path)


def printable(text: str) -> str:
    """`text` with everything that is no character of a line made visible."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def risk_of(path: str, after: Type, mode: int, target: str, workspace: str) -> str:
    """Why a change at `path` deserves a second look, "" for no reason."""
    label = label_of(f"{workspace}/{path}".casefold())
    if label in _RISKS:
        return _RISKS[label]
    if after is Type.LINK and leads_out(path, target):
        return f"leads out of the workspace, to {printable(target)}"
    if after is Type.FILE and mode & (stat.S_ISUID | stat.S_ISGID):
        return "asks to run as its owner or group"
    return ""


def leads_out(path: str, target: str) -> bool:
    """Whether a link at `path` with this target names something outside, by the names alone."""
    if target.startswith("/"):
        return True
    depth = path.count("/")
    for part in target.split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return True
    return False


def digest_lines(changes: Sequence[Change]) -> list[str]:
    """What the digest of a change set is taken of: a line for each, in order."""
    return [
        "\0".join((c.path, c.before, c.after, f"{c.mode:o}", c.target, c.digest))
        for c in sorted(changes, key=lambda change: change.path)
    ]
