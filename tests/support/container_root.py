"""A root as container engines give it: few capabilities, no namespaces, their filter of calls.

What is taken away is what Docker's and Podman's defaults take away and containment would need:
CAP_SYS_ADMIN and CAP_NET_ADMIN, unshare(2) and setns(2), clone(2) with new namespaces, mount(2),
pidfd_getfd(2) (moby/profiles: seccomp/default.json, caps/defaults.go).
"""

from __future__ import annotations

import errno
import os
import platform
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.bwrap import find_bwrap

_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP",
    "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
# Of x86-64 and of arm64: unshare, setns, mount, umount2, pivot_root, fsopen, fsmount, move_mount,
# open_tree, bpf, open_by_handle_at, pidfd_getfd.
_REFUSED = {
    "x86_64": (272, 308, 165, 166, 155, 430, 432, 429, 428, 321, 304, 438),
    "aarch64": (97, 268, 40, 39, 41, 430, 432, 429, 428, 280, 265, 438),
}
_CLONE = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW* that clone(2) takes
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06  # linux/bpf_common.h
_ERROR, _ALLOW = 0x00050000, 0x7FFF0000  # linux/seccomp.h
_NUMBER, _FIRST_ARGUMENT = 0, 16  # offsets in struct seccomp_data


def _filter() -> bytes:
    machine = platform.machine()
    steps = [(_LOAD, 0, 0, _NUMBER)]
    for call in _REFUSED[machine]:
        steps += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    # glibc falls back to clone(2), whose flags a filter can see.
    steps += [(_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    steps += [(_EQUAL, 0, 3, _CLONE[machine]), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    steps += [(_ANY_BIT, 0, 1, _NEW_NAMESPACES), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    steps += [(_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("=HBBI", code, yes, no, value) for code, yes, no, value in steps)


def in_container(
    words: list[str], *, environ: Mapping[str, str], cwd: Path, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run it as root of such a container, whose files are this machine's, to its end.

    All that it leaves running ends with it: its supervisor too.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can be a container's root")
    kept = [word for name in _CAPABILITIES for word in ("--cap-add", f"CAP_{name}")]
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as marker:
        told.write(_filter())
        for file in (told, marker):
            file.seek(0)
        return subprocess.run(
            [
                find_bwrap(), "--die-with-parent", "--unshare-pid", "--unshare-ipc",
                "--unshare-uts", "--cap-drop", "ALL", *kept, "--bind", "/", "/",
                "--dev-bind", "/dev", "/dev", "--proc", "/proc", "--tmpfs", "/run",
                "--file", str(marker.fileno()), "/run/.containerenv",
                "--seccomp", str(told.fileno()), "--", *words,
            ],
            pass_fds=(told.fileno(), marker.fileno()),
            env=dict(environ), cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
