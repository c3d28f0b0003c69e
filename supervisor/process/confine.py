"""How a process confines itself in tier B, for good and with everything it starts.

No privilege is needed, and none is left: capabilities go too, where the account had any (root's
would reach past the filter, to the machine's routes for one).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable

from supervisor.process import landlock, linux
from supervisor.process.containment import within
from supervisor.process.landlock import Rule
from supervisor.process.landlock_rules import Private
from supervisor.process.seccomp import gate_filter_bytes

_SECCOMP = {"x86_64": 317, "aarch64": 277}
_CAPSET = {"x86_64": 126, "aarch64": 91}
_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5
_PR_CAPBSET_DROP = 24
_CAPABILITY_VERSION_3 = 0x20080522
_MOST_CAPABILITIES = 64
_INSTRUCTION_BYTES = 8  # struct sock_filter


class _Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def confine(rules: Iterable[Rule]) -> int:
    """Confine this process; returns the listener of its filter, for `gate.Gate`.

    Raises:
        OSError: Landlock or such filters are not to be had here.
        LaunchFailed: there is no filter for this architecture.
    """
    program = gate_filter_bytes(truncate=landlock.controls_truncate())
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    landlock.restrict(rules)
    _drop_capabilities()
    return _install(program)


def make_private(private: Private, home: str, visible: Iterable[str]) -> None:
    """Make the directories that stand in for home and /tmp.

    What is visible of the person's `home` is linked to from the task's own, at the same place:
    programs look for their files below $HOME.
    """
    os.mkdir(private.home, 0o700)
    os.mkdir(private.temporary, 0o700)
    linked: list[str] = []
    for path in sorted(visible):  # a directory comes before what lies in it
        inside = os.path.relpath(path, home)
        # What lies in a place that is linked to is there already; a link made there would be made
        # in the person's own directory.
        if inside == "." or inside.startswith("..") or any(within(path, each) for each in linked):
            continue
        link = os.path.join(private.home, inside)
        os.makedirs(os.path.dirname(link), 0o700, exist_ok=True)
        os.symlink(path, link)
        linked.append(path)


def _install(program: bytes) -> int:
    described = _Program(len(program) // _INSTRUCTION_BYTES, program)
    number = _SECCOMP[platform.machine()]
    try:
        # Linux 5.19: a call that we already answer is not begun again when a signal comes.
        flags = _NEW_LISTENER | _WAIT_KILLABLE
        return linux.syscall("seccomp", number, _SET_MODE_FILTER, flags, described)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return linux.syscall("seccomp", number, _SET_MODE_FILTER, _NEW_LISTENER, described)


def _drop_capabilities() -> None:
    for capability in range(_MOST_CAPABILITIES):
        try:
            linux.prctl(_PR_CAPBSET_DROP, capability)
        except OSError:  # the account has none to drop from, or that was the last there is
            break
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    linux.syscall("capset", _CAPSET[platform.machine()], header, bytes(24))
