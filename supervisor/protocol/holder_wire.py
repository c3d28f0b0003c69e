"""The typed wire format of holders: what screens and the daemon say to one, and what it answers.

Frames are msgpack of these structs, each behind a 4-byte big-endian length, tagged by `type`.
"""

from __future__ import annotations

import struct

import msgspec

from supervisor.model import FileDoor
from supervisor.protocol.wire import Wire

MAX_FRAME = 16 * 1024 * 1024  # bytes; also of what the daemon answers a screen at once

# ── Screen → holder ──────────────────────────────────────────────────────

# (text, fg, bg, attrs): model.Run as a tuple, to keep frames small
RunTuple = tuple[str, int, int, int]


class Attach(Wire, frozen=True, kw_only=True, tag="attach"):
    """First frame of a screen; the token comes from `Started` or `Attached`."""

    token: str
    cols: int
    rows: int


class Key(Wire, frozen=True, kw_only=True, tag="key"):
    key: str  # Textual's name
    text: str = ""  # what it types, "" for none


class Paste(Wire, frozen=True, kw_only=True, tag="paste"):
    text: str


class Resize(Wire, frozen=True, kw_only=True, tag="resize"):
    cols: int
    rows: int


class Mouse(Wire, frozen=True, kw_only=True, tag="mouse"):
    action: str
    button: int
    x: int
    y: int
    mods: int = 0


class Focus(Wire, frozen=True, kw_only=True, tag="focus"):
    gained: bool


class Stdio(Wire, frozen=True, kw_only=True, tag="stdio"):
    """Headless: three file descriptors ride on this frame by SCM_RIGHTS."""

    token: str


# ── Daemon → holder ──────────────────────────────────────────────────────


class Adopt(Wire, frozen=True, kw_only=True, tag="adopt"):
    """First frame of a daemon; the holder answers `Adopted` with its descriptors."""

    token: str


class Freeze(Wire, frozen=True, kw_only=True, tag="freeze"):
    """Stop a process tree; pid 0: the whole task."""

    pid: int = 0


class Thaw(Wire, frozen=True, kw_only=True, tag="thaw"):
    pid: int = 0


class OpenDoors(Wire, frozen=True, kw_only=True, tag="open_doors"):
    """Answered by `DoorsAnswered`. Either all of them are open then, or none."""

    call: str
    doors: tuple[FileDoor, ...]


class CloseDoors(Wire, frozen=True, kw_only=True, tag="close_doors"):
    """Answered by `DoorsAnswered`. `publish`: put what the call made where it belongs."""

    call: str
    publish: bool = False


class Kill(Wire, frozen=True, kw_only=True, tag="kill"):
    """End the whole tree."""


# ── Holder → screen or daemon ────────────────────────────────────────────


class Screen(Wire, frozen=True, kw_only=True, tag="screen"):
    """Changed rows, always the latest state. `full`: every row is here."""

    rows: dict[int, tuple[RunTuple, ...]]
    x: int = 0
    y: int = 0
    cursor: bool = True
    cols: int = 0
    height: int = 0
    title: str = ""
    full: bool = False
    mouse: bool = False  # the agent wants the wheel, if only as arrow keys
    mouse_buttons: bool = False  # and the rest of the mouse
    # In `rows`: cell, cells, target.
    links: dict[int, tuple[tuple[int, int, str], ...]] = msgspec.field(default_factory=dict)
    bracketed: bool = False  # it is told where a paste begins and ends (DEC mode 2004)


class Adopted(Wire, frozen=True, kw_only=True, tag="adopted"):
    """Rides with the listeners' descriptors, then one sock_diag netlink descriptor."""

    listeners: tuple[str, ...]
    ports: tuple[int, ...]
    root_pid: int = 0  # 0: not started yet
    root_start: int = 0
    exit_code: int | None = None


class Spawned(Wire, frozen=True, kw_only=True, tag="spawned"):
    root_pid: int
    root_start: int


class SpawnFailed(Wire, frozen=True, kw_only=True, tag="spawn_failed"):
    code: str  # errors.TaskpassError.code
    message: str


class Exited(Wire, frozen=True, kw_only=True, tag="exited"):
    code: int  # exit code, or 128 + signal


class Refused(Wire, frozen=True, kw_only=True, tag="refused"):
    """Tier B: the gate refused a connection. As `ports.Attempt`."""

    protocol: str
    address: str
    port: int


class DoorsAnswered(Wire, frozen=True, kw_only=True, tag="doors_answered"):
    call: str
    problem: str = ""  # in words; "" when it went well
    published: tuple[str, ...] = ()  # paths of what was put in place


class LimitMet(Wire, frozen=True, kw_only=True, tag="limit_met"):
    """A limit of the task's cgroup was met since the last such notice."""

    limit: str  # "memory": a process was killed for it; "processes": one could not be made
    times: int


class ClipboardAnswered(Wire, frozen=True, kw_only=True, tag="clipboard_answered"):
    """A person has answered the agent's wish to write to the clipboard. `size` in bytes."""

    size: int
    digest: str  # SHA-256 of the text
    allowed: bool


class Killed(Wire, frozen=True, kw_only=True, tag="killed"):
    """The tree is gone; `left` counts processes that could not be ended."""

    left: int = 0
    took_ms: float = 0.0


ToHolder = (
    Attach | Key | Paste | Resize | Mouse | Focus | Stdio | Adopt | Freeze | Thaw | Kill
    | OpenDoors | CloseDoors
)  # fmt: skip
FromHolder = (
    Screen | Adopted | Spawned | SpawnFailed | Exited | Refused | Killed
    | DoorsAnswered | LimitMet | ClipboardAnswered
)  # fmt: skip

_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()


def frame(message: ToHolder | FromHolder) -> bytes:
    """One message with its length in front."""
    return pack(message)


def pack(message: Wire) -> bytes:
    """As `frame`, for the messages of other modules."""
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


def frame_length(header: bytes) -> int:
    """Length of the body behind a 4-byte header; ValueError when beyond MAX_FRAME."""
    (length,) = _LENGTH.unpack(header)
    if length > MAX_FRAME:
        raise ValueError(f"frame of {length} bytes")
    return int(length)
