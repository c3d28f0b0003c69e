"""File doors: what lies outside a running container is shown in it for one call, and no longer.

Which ones may be is for `supervisor.calls.filedoors` to say; this is how.

The container's root follows the skeleton in its staging namespace (`staging`). So a helper, a fork
of the holder that joins that namespace, mounts a real file over its place in the skeleton, and the
container has it at the same path. A file that does not exist yet cannot be mounted: for it there is
a place to make it in, and when the door closes, what was made there is put where it belongs.

What a program opened while a door was open, it keeps until it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from supervisor import safefiles
from supervisor.errors import LaunchFailed
from supervisor.model import FileDoor
from supervisor.process import linux
from supervisor.process.containment import within
from supervisor.process.staging import Staging, fresh

_OPENING = 5.0  # seconds for a helper: a network file system may not answer
_CLOSING = 60.0  # what was made has to be copied
_LARGEST = 1 << 30  # bytes of a file that is put in place: a file with holes takes no room in there
_PACKET = 65536
_MOST = 64  # doors of one call
_PLAIN = linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS


@dataclass(slots=True)
class _Opened:
    """`mounts`: what to take away again, deepest last; `made`: places in the skeleton."""

    mounts: list[int] = field(default_factory=list)
    made: list[str] = field(default_factory=list)  # placeholders of ours
    new: list[str] = field(default_factory=list)  # what the call may make


@dataclass(slots=True)
class Doors:
    """The file doors of one container."""

    staging: Staging
    home: str
    _open: dict[str, _Opened] = field(default_factory=dict)  # by call

    async def open(self, call: str, doors: Sequence[FileDoor], root: int) -> None:
        """Open doors for a call. `root`: pid of the agent, in whose container they must show.

        Raises:
            LaunchFailed: one cannot be opened. None of them is open then.
        """
        wanted = [door for door in doors[:_MOST] if not _shows(root, door)]
        if not wanted:
            return
        opened = self._open.setdefault(call, _Opened())
        try:
            told, mounts = await _helped(
                lambda: _open_all(self.staging, self.home, wanted), _OPENING
            )
            opened.mounts += mounts
            opened.made += told.made
            opened.new += told.new
            for door in wanted:
                if door.path not in told.new and not _shows(root, door):
                    raise LaunchFailed(f"{door.path} is covered by something else in there.")
        except LaunchFailed:
            await self.close(call, publish=False)
            raise

    async def close(self, call: str, *, publish: bool) -> list[str]:
        """Close a call's doors; what it made is put in place if `publish`. The paths of that.

        Raises:
            LaunchFailed: something could not be put in place. The doors are closed.
        """
        opened = self._open.pop(call, None)
        if opened is None:
            return []
        try:
            told, _ = await _helped(lambda: _close_all(self.staging, opened, publish), _CLOSING)
        finally:
            for mount in opened.mounts:
                os.close(mount)
        if told.problem:
            raise LaunchFailed(told.problem)
        return told.published

    async def close_all(self) -> None:
        """Nobody remembers what they were open for: nothing is put in place."""
        for call in list(self._open):
            with contextlib.suppress(LaunchFailed):
                await self.close(call, publish=False)

    @property
    def any(self) -> bool:
        return bool(self._open)

    def drop(self) -> None:
        """The container is gone, and its mounts with it."""
        for opened in self._open.values():
            for mount in opened.mounts:
                os.close(mount)
        self._open.clear()
        self.staging.close()


# ── What the container shows ────────────────────────────────────────────────────────────


def _shows(root: int, door: FileDoor) -> bool:
    """Whether the container has the real file at this path, writable where that is wanted."""
    try:
        real = os.stat(door.path)
        inside = os.open(f"/proc/{root}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        resolve = linux.RESOLVE_IN_ROOT | linux.RESOLVE_NO_MAGICLINKS
        seen = linux.openat2(inside, door.path, os.O_PATH, resolve)
    except OSError:
        return False
    finally:
        os.close(inside)
    try:
        found = os.fstat(seen)
        same = (found.st_dev, found.st_ino) == (real.st_dev, real.st_ino)
        return same and not (door.write and os.fstatvfs(seen).f_flag & os.ST_RDONLY)
    finally:
        os.close(seen)


# ── The helper: runs in a fork, in the staging namespace ────────────────────────────────


class _Told(msgspec.Struct):
    """What a helper has to say."""

    made: list[str] = []
    new: list[str] = []
    published: list[str] = []
    problem: str = ""  # of one place; the rest is done
    error: str = ""  # nothing is done


def _join(staging: Staging) -> None:
    if os.fstat(staging.user).st_ino != os.stat("/proc/self/ns/user").st_ino:
        linux.setns(staging.user, linux.CLONE_NEWUSER)
    linux.setns(staging.mounts, linux.CLONE_NEWNS)


def _open_all(staging: Staging, home: str, doors: Sequence[FileDoor]) -> tuple[_Told, list[int]]:
    _join(staging)
    told, mounts = _Told(), []
    machine = os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        for door in doors:
            try:
                source = linux.openat2(machine, door.source, os.O_PATH, _PLAIN)
            except FileNotFoundError:
                if door.write:
                    mounts += _make_writable(staging, home, door.path)
                    told.new.append(door.path)
                continue  # nothing to read: the call finds that out
            mounts.append(_mount(staging, source, door, told))
    except BaseException:
        _unmount(mounts)
        raise
    return told, mounts


def _mount(staging: Staging, source: int, door: FileDoor, told: _Told) -> int:
    kind = os.fstat(source).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise OSError(errno.EINVAL, f"{door.path} is no file and no directory")
    folder, name = os.path.split(door.path)
    parent = safefiles.make_directories(staging.skeleton, folder, 0o700)
    with contextlib.suppress(FileExistsError):
        if stat.S_ISDIR(kind):
            os.mkdir(name, 0o700, dir_fd=parent)
        else:
            flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY
            os.close(os.open(name, flags, 0o600, dir_fd=parent))
        told.made.append(door.path)
    place = linux.openat2(parent, name, os.O_PATH, safefiles.STRAIGHT)
    attributes = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    if not door.write:
        attributes |= linux.MOUNT_ATTR_RDONLY
    mounted = linux.clone_mount(source, attributes, linux.MS_PRIVATE)
    linux.attach_mount(mounted, place)
    return mounted


def _make_writable(staging: Staging, home: str, path: str) -> list[int]:
    """A place in the container where `path` can be made.

    In the home there is one; elsewhere the skeleton is mounted over itself, since the container's
    root is read-only.
    """
    folder = os.path.dirname(path)
    parent = safefiles.make_directories(staging.skeleton, folder, 0o700)
    if any(within(folder, tree) for tree in fresh(home)):
        return []
    attributes = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV
    mounted = linux.clone_mount(parent, attributes, linux.MS_PRIVATE)
    linux.attach_mount(mounted, parent)
    return [mounted]


def _close_all(staging: Staging, opened: _Opened, publish: bool) -> tuple[_Told, list[int]]:
    told = _Told()
    machine = os.open("/", safefiles.DIRECTORY)
    for path in opened.new:
        try:
            if publish and _publish(staging.skeleton, machine, path):
                told.published.append(path)
        except OSError as error:
            told.problem = f"{path} could not be put in place: {error.strerror}."
    _join(staging)
    _unmount(opened.mounts)
    for path in opened.made:
        folder, name = os.path.split(path)
        with contextlib.suppress(OSError):
            parent = linux.openat2(
                staging.skeleton, folder.lstrip("/"), safefiles.DIRECTORY, safefiles.STRAIGHT
            )
            if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                os.rmdir(name, dir_fd=parent)
            else:
                os.unlink(name, dir_fd=parent)
    return told, []


def _unmount(mounts: Sequence[int]) -> None:
    """They go from the container as well, also while something in there uses them."""
    for mount in reversed(mounts):
        with contextlib.suppress(OSError):
            linux.unmount(f"/proc/self/fd/{mount}", linux.MNT_DETACH)


def _publish(skeleton: int, machine: int, path: str) -> bool:
    """Move what a call made in the skeleton to its real place; False when it made nothing.

    Raises:
        OSError: it is neither file nor directory, or its place was taken meanwhile.
    """
    folder, name = os.path.split(path)
    try:
        origin = linux.openat2(
            skeleton, folder.lstrip("/"), safefiles.DIRECTORY, safefiles.STRAIGHT
        )
        os.stat(name, dir_fd=origin, follow_symlinks=False)
    except FileNotFoundError:
        return False
    target = safefiles.make_directories(machine, folder)
    _move(origin, target, name)
    return True


def _move(origin: int, target: int, name: str) -> None:
    info = os.stat(name, dir_fd=origin, follow_symlinks=False)
    if stat.S_ISDIR(info.st_mode):
        inner = linux.openat2(origin, name, safefiles.DIRECTORY, safefiles.STRAIGHT)
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, stat.S_IMODE(info.st_mode) & safefiles.ORDINARY, dir_fd=target)
        below = linux.openat2(target, name, safefiles.DIRECTORY, safefiles.STRAIGHT)
        for child in os.listdir(inner):
            _move(inner, below, child)
        os.rmdir(name, dir_fd=origin)
        return
    if info.st_size > _LARGEST:
        raise OSError(errno.EFBIG, "it is larger than 1 GiB")
    flags = os.O_RDONLY | os.O_NONBLOCK
    with (
        safefiles.plain(linux.openat2(origin, name, flags, safefiles.STRAIGHT)) as source,
        safefiles.scratch(target, name, new=True) as made,
    ):
        safefiles.copy(source, target, made, info.st_mode)
    os.unlink(name, dir_fd=origin)


async def _helped(
    work: Callable[[], tuple[_Told, list[int]]], patience: float
) -> tuple[_Told, list[int]]:
    """What `work` says, done in a fork of this process.

    Raises:
        LaunchFailed: it could not be done, or not in time.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        _work(work, theirs)
    theirs.close()
    try:
        data, fds = await _answer(ours, pid, patience)
    finally:
        ours.close()
    if not data:
        raise LaunchFailed("The way out of the container could not be opened in time.")
    told = msgspec.json.decode(data, type=_Told)
    if told.error:
        for descriptor in fds:
            os.close(descriptor)
        raise LaunchFailed(f"The way out of the container cannot be opened: {told.error}.")
    return told, fds


async def _answer(ours: socket.socket, pid: int, patience: float) -> tuple[bytes, list[int]]:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(ours, ready.set)
    try:
        async with asyncio.timeout(patience):
            await ready.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return b"", []
    finally:
        loop.remove_reader(ours)
    data, fds, _, _ = socket.recv_fds(ours, _PACKET, _MOST, socket.MSG_CMSG_CLOEXEC)
    return data, list(fds)


def _work(work: Callable[[], tuple[_Told, list[int]]], line: socket.socket) -> None:
    """Never returns. The holder's event loop hears nothing of this process's signals."""
    try:
        signal.set_wakeup_fd(-1)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        told, mounts = work()
        socket.send_fds(line, [msgspec.json.encode(told)], mounts)
    except BaseException as error:
        reason = getattr(error, "strerror", None) or str(error)
        with contextlib.suppress(OSError):
            line.send(msgspec.json.encode(_Told(error=reason)))
    finally:
        os._exit(0)
