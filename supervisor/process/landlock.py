"""Landlock (landlock(7)) by raw system calls: what this process and its children may open.

Everything that no rule names is refused. Rules only ever add, so nothing can be taken out of a
directory that a rule names; what rules to make of a plan is `landlock_rules`.

What Landlock does not hold: names, sizes and times of files can be asked for (stat(2)) and the
mode and times of the account's own files can be set (chmod(2), utime(2)), wherever they lie.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from supervisor.process import linux

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_VERSION = 1
_PATH_BENEATH = 1

# linux/landlock.h, struct landlock_path_beneath_attr and LANDLOCK_ACCESS_FS_*
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_CHAR, _MAKE_DIR, _MAKE_REG, _MAKE_SOCK = 1 << 6, 1 << 7, 1 << 8, 1 << 9
_MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = 1 << 10, 1 << 11, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_HANDLED = {1: _REFER - 1, 2: _TRUNCATE - 1, 3: _IOCTL_DEV - 1, 5: (_IOCTL_DEV << 1) - 1}
_BIND_AND_CONNECT_TCP = 0b11
_ABSTRACT_UNIX_AND_SIGNAL = 0b11


class Access(Enum):
    """What a rule allows below its path."""

    LIST = _READ_DIR
    READ = _EXECUTE | _READ_FILE | _READ_DIR
    WRITE = (
        _EXECUTE | _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR
        | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO | _MAKE_SYM | _REFER | _TRUNCATE
    )  # fmt: skip
    DEVICE = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV


@dataclass(frozen=True, slots=True)
class Rule:
    """`path` and everything below it. Where it is a symbolic link, nothing is opened."""

    path: str
    access: Access


def abi() -> int:
    """The kernel's version of Landlock, 0 where there is none or it is switched off."""
    try:
        return _call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def controls_truncate() -> bool:
    return abi() >= 3


def controls_signals() -> bool:
    """Whether signals to processes outside are refused."""
    return abi() >= 6


def restrict(rules: Iterable[Rule]) -> None:
    """Restrict this process, and all it starts, for good. Needs `PR_SET_NO_NEW_PRIVS`.

    Besides files: TCP may be neither bound nor connected (ABI 4; the gate does both from
    outside), and neither abstract sockets nor signals reach out (ABI 6). Paths that do not exist
    are passed over.

    Raises:
        OSError: there is no Landlock here.
    """
    version = abi()
    if version == 0:
        raise OSError(errno.EOPNOTSUPP, "landlock: not available")
    handled = _HANDLED[max(known for known in _HANDLED if known <= version)]
    attributes = struct.pack("=Q", handled)
    if version >= 4:
        attributes += struct.pack("=Q", _BIND_AND_CONNECT_TCP)
    if version >= 6:
        attributes += struct.pack("=Q", _ABSTRACT_UNIX_AND_SIGNAL)
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for rule in rules:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _add(ruleset, rule, handled)
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _add(ruleset: int, rule: Rule, handled: int) -> None:
    fd = os.open(rule.path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        allowed = rule.access.value & handled
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            allowed &= _OF_FILES
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, fd), 0)
    finally:
        os.close(fd)


def _call(number: int, *arguments: int | bytes | None) -> int:
    return linux.syscall("landlock", number, *arguments)
