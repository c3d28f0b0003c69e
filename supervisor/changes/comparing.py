"""What the upper layer of an overlay changes, by reading it beside what it lay over.

The layer's form is the kernel's (Documentation/filesystems/overlayfs.rst): a character device 0/0
stands for what was deleted, the attribute `user.overlay.opaque` for a directory that shows nothing
of the one below. The task is over, so nothing moves in it; its names and links are a stranger's all
the same: none is followed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from supervisor.changes.change import Change, Type, risk_of
from supervisor.safefiles import open_plain

_OPAQUE = "user.overlay.opaque"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Layers:
    """An upper layer, and what it lies over."""

    upper: str
    lower: str  # the real workspace
    began: int  # ns of the file system's clock: what changed below since then did so meanwhile


def compare(layers: Layers) -> list[Change]:
    """Every difference, by path. Directories come before what is in them.

    A path that the real workspace changed meanwhile carries a `conflict`; where both have come to
    the same, there is no difference.

    Raises:
        OSError: a layer cannot be read.
    """
    found = _directory(layers, "", beneath=True, covered=False)
    return sorted(found, key=lambda change: change.path.split("/"))


def _directory(layers: Layers, path: str, *, beneath: bool, covered: bool) -> Iterator[Change]:
    """Differences below a directory of the upper layer.

    `beneath`: the real workspace has a directory there too. `covered`: which does not show through.
    """
    upper = os.path.join(layers.upper, path)
    covered = covered or _opaque(upper)
    names = set()
    with os.scandir(upper) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            names.add(entry.name)
            inner = os.path.join(path, entry.name)
            info = entry.stat(follow_symlinks=False)
            below = _look(os.path.join(layers.lower, inner)) if beneath else None
            if stat.S_ISCHR(info.st_mode) and info.st_rdev == 0:
                yield from _gone(layers, inner, below)
                continue
            yield from _entry(layers, inner, info, below)
            if stat.S_ISDIR(info.st_mode):
                both = below is not None and stat.S_ISDIR(below.st_mode)
                yield from _directory(layers, inner, beneath=both, covered=covered)
    if covered and beneath:
        for name in sorted(set(os.listdir(os.path.join(layers.lower, path))) - names):
            inner = os.path.join(path, name)
            yield from _gone(layers, inner, _look(os.path.join(layers.lower, inner)))


def _entry(
    layers: Layers, path: str, info: os.stat_result, below: os.stat_result | None
) -> Iterator[Change]:
    before = Type.of(below.st_mode) if below else Type.NONE
    after = Type.of(info.st_mode)
    upper, lower = os.path.join(layers.upper, path), os.path.join(layers.lower, path)
    mode = stat.S_IMODE(info.st_mode)
    mode_before = stat.S_IMODE(below.st_mode) if below else 0
    target = os.readlink(upper) if after is Type.LINK else ""
    same = before is after
    if same and after is Type.LINK:
        same = target == os.readlink(lower)
    elif same:
        same = mode == mode_before and (after is not Type.FILE or _same_content(upper, lower))
    if same:
        return
    yield Change(
        path=path,
        before=before,
        after=after,
        mode=mode,
        mode_before=mode_before,
        size=info.st_size if after is Type.FILE else 0,
        target=target,
        digest=content_digest(upper) if after is Type.FILE else "",
        risk=risk_of(path, after, mode, target, layers.lower),
        conflict=_unfit(after) or _conflict(layers, path, before, below),
    )


def _gone(layers: Layers, path: str, below: os.stat_result | None) -> Iterator[Change]:
    if below is None:
        return  # gone from the real workspace as well
    before = Type.of(below.st_mode)
    yield Change(
        path=path,
        before=before,
        after=Type.NONE,
        mode_before=stat.S_IMODE(below.st_mode),
        risk=risk_of(path, Type.NONE, 0, "", layers.lower),
        conflict=_conflict(layers, path, before, below),
    )


def _conflict(layers: Layers, path: str, before: Type, below: os.stat_result | None) -> str:
    """A status change is what nobody can set back (inode(7)): any change of the file moves it.

    What a directory holds moves its time as well; that is looked at entry by entry, and only
    where the directory itself goes.
    """
    if below is None:
        return ""
    if before is not Type.DIRECTORY:
        changed = below.st_ctime_ns >= layers.began
        return "changed in the real workspace meanwhile" if changed else ""
    if _kept_directory(layers, path):
        return ""
    for folder, _, files in os.walk(os.path.join(layers.lower, path)):
        for name in files:
            info = _look(os.path.join(folder, name))
            if info is not None and info.st_ctime_ns >= layers.began:
                return "holds what was changed in the real workspace meanwhile"
    return ""


def _kept_directory(layers: Layers, path: str) -> bool:
    info = _look(os.path.join(layers.upper, path))
    return info is not None and stat.S_ISDIR(info.st_mode)


def _unfit(after: Type) -> str:
    return "is no file, link or directory" if after is Type.SPECIAL else ""


def _opaque(path: str) -> bool:
    try:
        return os.getxattr(path, _OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


def _look(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _same_content(one: str, other: str) -> bool:
    with open_plain(one) as a, open_plain(other) as b:
        while True:
            left, right = a.read(_CHUNK), b.read(_CHUNK)
            if left != right:
                return False
            if not left:
                return True


def content_digest(path: str) -> str:
    """`sha256:<hex>` of a file that is no link. Raises OSError."""
    digest = hashlib.sha256()
    with open_plain(path) as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"
