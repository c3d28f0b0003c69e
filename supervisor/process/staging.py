"""The staging mount namespace: where a contained task's mounts are arranged before its container.

The launcher enters it, and bubblewrap then binds from it. Two things need it:

- A *skeleton*, an empty tree in memory that becomes the container's root. It is a shared mount
  and the container's copy follows it (mount_namespaces(7)), so what a helper of ours mounts in
  the skeleton later appears in the running container (`process.filedoors`).
- An *overlay* over the workspace, where the person wants to review what a task changed: the
  task writes to it at the workspace's own path, and the real files stay as they are.

Nothing here is visible to the rest of the machine, and all of it ends with the task.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass

from supervisor.errors import LaunchFailed
from supervisor.process import linux
from supervisor.process.containment import within

UPPER, WORK = "upper", "work"  # in the directory of an overlay
_FRESH = ("/home", "/run", "/tmp", "/var/tmp")  # noqa: S108 - mounted empty, not written to
_FLAGS = linux.MS_NOSUID | linux.MS_NODEV


@dataclass(slots=True)
class Staging:
    """Descriptors that lead back into a staging namespace. Whoever has them keeps it alive."""

    user: int  # its user namespace
    mounts: int
    skeleton: int  # the container's root, as a place to make mount points in

    def close(self) -> None:
        for descriptor in (self.user, self.mounts, self.skeleton):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def skeleton(task_dir: str) -> str:
    """Where the skeleton of a task is mounted: beside its directory."""
    return os.path.join(os.path.dirname(task_dir), "skeleton")


def fresh(home: str) -> tuple[str, ...]:
    """Paths of the container that are empty and writable: each a mount of its own, outer first."""
    return _FRESH if any(within(home, path) for path in _FRESH) else (*_FRESH, home)


def enter(root: str, home: str, workspace: str, overlay: str) -> Staging:
    """Move this process into a staging namespace of its own.

    It must be allowed to mount: root, or the owner of its user namespace.

    Args:
        root: an empty directory, where the skeleton is mounted.
        home: the account's home, which is empty in the skeleton.
        overlay: directory with `upper` and `work` for an overlay over `workspace`, "" for none.

    Raises:
        LaunchFailed: an overlay is not to be had for this workspace.
        OSError: mounting is not allowed here.
    """
    linux.unshare(linux.CLONE_NEWNS)
    # The machine's later mounts and unmounts reach us, ours reach nobody.
    linux.mount("", "/", "", linux.MS_REC | linux.MS_SLAVE)
    _tmpfs(root, 0o755)
    for path in fresh(home):
        os.makedirs(root + path, 0o755)
        _tmpfs(root + path, 0o755)
    os.makedirs(root + home, 0o700, exist_ok=True)
    if overlay:
        _overlay(workspace, overlay)
    return Staging(
        os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC),
        os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC),
        os.open(root, os.O_PATH | os.O_CLOEXEC),
    )


def _tmpfs(path: str, mode: int) -> None:
    linux.mount("tmpfs", path, "tmpfs", _FLAGS, f"mode={mode:o}")
    linux.mount("", path, "", linux.MS_SHARED)


def _overlay(workspace: str, directory: str) -> None:
    """Mount an overlay over `workspace`.

    Its marks are attributes that any account may write (`userxattr`). The parts are named by
    descriptor: a path may hold the commas and colons that separate options.
    """
    places = {
        "lowerdir": workspace,
        "upperdir": os.path.join(directory, UPPER),
        "workdir": os.path.join(directory, WORK),
    }
    opened: dict[str, int] = {}
    try:
        for name, path in places.items():
            opened[name] = os.open(path, os.O_PATH | os.O_CLOEXEC)
        options = [f"{name}=/proc/self/fd/{descriptor}" for name, descriptor in opened.items()]
        linux.mount("overlay", workspace, "overlay", _FLAGS, ",".join([*options, "userxattr"]))
    except OSError as error:
        raise LaunchFailed(
            f"There is no overlay to be had over {workspace}: {error.strerror}.",
            hint="Start without --overlay, or keep state and workspace on ordinary local disks.",
        ) from error
    finally:
        for descriptor in opened.values():
            os.close(descriptor)
