"""Makes the plan of one contained task: from what its agent needs, what the person lets in, and
what lies in its workspace.

| | standard | strict |
|---|---|---|
| the home | what the agent's profile names, and what the person lets in | only the former |
| the person's `show`, `write`, screen and bus in config.toml | let in | not let in |
| `.env` and credential stores in the workspace | masked, if git does not track them | all masked |
| a workspace too large to be searched for them | searched in part, and that is said | refused |
| what must stay as it is | `process.guards` has the table | |

What is named on the command line (`--show`, `--write`) holds in both.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from supervisor.errors import LaunchFailed
from supervisor.ports import Containment, Mount
from supervisor.process import sockets
from supervisor.process.containment import check_workspace, within
from supervisor.process.guards import Guards, Place, guards
from supervisor.process.patterns import expand
from supervisor.process.placeholders import Placeholders
from supervisor.process.search import secrets_in
from supervisor.process.secret_places import in_home
from supervisor.process.unchanged import marks

_SEARCH = 0.03  # seconds: a start that nobody notices
_SEARCH_STRICT = 5.0
_MOST_MASKS = 200  # each is a mount, and each mount makes the next one slower


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person and the project say; patterns may start with `~` and hold wildcards.

    Attributes:
        show, write: from config.toml; not in strict.
        show_now, write_now: from the command line.
        deny_read: kept from the task; wins over all of them.
    """

    show: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    deny_read: tuple[str, ...] = ()
    x11: bool = False
    wayland: bool = False
    dbus: bool = False
    show_now: tuple[str, ...] = ()
    write_now: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan is made from. Paths are absolute.

    Attributes:
        mode: "standard" or "strict".
        mounts: what the agent's profile needs.
        settings: missing settings of the agent, to stay so.
        folders: what it writes in the workspace, though it lies in something guarded.
        absent: our own state.
    """

    task: str
    mode: str
    workspace: str
    cwd: str
    home: str
    mounts: tuple[Mount, ...] = ()
    settings: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    wishes: Wishes = Wishes()
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def strict(self) -> bool:
        return self.mode == "strict"


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan, and what else is to be known of it.

    Attributes:
        let_read, let_write: what the person let in.
        environ: variables that name it to programs.
        notes: what does not hold, in words.
        denied: everything that is to be kept from tasks, visible in the container or not.
        marks: of what is guarded, as `unchanged.differing` takes them.
    """

    containment: Containment
    let_read: tuple[str, ...] = ()
    let_write: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    denied: tuple[str, ...] = ()


def make_plan(wanted: Wanted, placeholders: Placeholders) -> Plan:
    """The plan, with everything on the disk that it rests on.

    Raises:
        LaunchFailed: something cannot be kept from the task as it must be.
    """
    wishes = wanted.wishes
    if wanted.strict:
        wishes = replace(wishes, show=(), write=(), x11=False, wayland=False, dbus=False)
    base = Containment(wanted.mode, wanted.workspace, absent=wanted.absent)
    check_workspace(base, wanted.cwd, wanted.home)
    shown = _expand((*wishes.show, *wishes.show_now), wanted)
    written = _expand((*wishes.write, *wishes.write_now), wanted)
    for name in (*wishes.show_now, *wishes.write_now):
        if not _expand((name,), wanted):
            raise LaunchFailed(f"{name} does not exist.", hint="Name something that is there.")
    _check_let_in((*shown, *written), wanted)
    session = sockets.let_in(
        wanted.environ, x11=wishes.x11, wayland=wishes.wayland, dbus=wishes.dbus
    )
    let_in = [
        *(Mount(path) for path in (*shown, *session.files) if not within(path, wanted.workspace)),
        *(Mount(path, writable=True) for path in written if not within(path, wanted.workspace)),
    ]
    named = _denied(wanted, wishes)
    masked, denied, complete = _masked(wanted, named, shown, [mount.path for mount in let_in])
    found = placeholders.hold(wanted.task, lambda: _guards(wanted, let_in, written))
    if found.loose and wanted.strict:
        raise LaunchFailed(
            f"{found.loose[0]}.", hint="Put a real file there, or use --contain standard."
        )
    notes = list(found.loose)
    if not complete:
        notes.append("not all of the workspace was searched for .env files")
    inside = [path for path in wanted.folders if within(path, wanted.workspace)]
    outside = [Mount(path, writable=True) for path in (*found.outside, *inside)]
    containment = replace(
        base,
        mounts=(*wanted.mounts, *let_in, *outside),
        guarded=found.paths,
        masked=masked,
        denied=denied,
        absent=(*wanted.absent, *sockets.agents(wanted.environ)),
        sockets=session.sockets,
    )
    seen = marks(found.paths, (*wanted.folders, *placeholders.made()))
    return Plan(containment, shown, written, session.environ, tuple(notes), seen, named)


def _guards(wanted: Wanted, let_in: Iterable[Mount], written: Iterable[str]) -> Guards:
    writable = [mount.path for mount in (*wanted.mounts, *let_in) if mount.writable]
    place = Place(
        wanted.workspace, wanted.cwd, wanted.home, writable, wanted.settings, wanted.folders
    )
    found = guards(place, strict=wanted.strict)
    allowed = list(written)

    def kept(path: str) -> bool:
        return not any(within(path, each) for each in allowed)

    return replace(
        found,
        paths=tuple(path for path in found.paths if kept(path)),
        missing=tuple(each for each in found.missing if kept(each.path)),
    )


def _denied(wanted: Wanted, wishes: Wishes) -> tuple[str, ...]:
    """What person and project named as to be kept from tasks.

    Raises:
        LaunchFailed: the task would start in it.
    """
    denied = _expand(wishes.deny_read, wanted)
    for path in denied:
        if within(wanted.cwd, path):
            raise LaunchFailed(
                f"{wanted.cwd} lies inside {path}, which is to be kept from tasks.",
                hint="Start elsewhere, or change deny_read.",
            )
    return denied


def _masked(
    wanted: Wanted, named: Iterable[str], shown: Iterable[str], trees: Iterable[str]
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """What is to be masked, what of it was named as such, and whether all places were searched."""
    trees = [wanted.workspace, *(path for path in trees if os.path.isdir(path))]
    limit = _SEARCH_STRICT if wanted.strict else _SEARCH
    secrets = secrets_in(trees, strict=wanted.strict, seconds=limit)
    if wanted.strict and not secrets.complete:
        raise LaunchFailed(
            f"{wanted.workspace} is too large to be searched for secrets in {limit:.0f} s.",
            hint="Start in a smaller directory, or with --contain standard.",
        )
    visible = [*trees, *(mount.path for mount in wanted.mounts)]
    at_home = [path for path in in_home(wanted.home) if os.path.lexists(path)]
    found = [
        *secrets.paths,
        *(path for path in at_home if any(path != at and within(path, at) for at in visible)),
    ]
    # Only by its own name: to show a directory is not to show the keys in it.
    allowed = frozenset(shown)
    kept = [path for path in found if path not in allowed]
    denied = tuple(path for path in named if any(within(path, at) for at in visible))
    masked = _outermost((*kept, *denied))
    if len(masked) > _MOST_MASKS:
        raise LaunchFailed(
            f"{len(masked)} files would have to be kept from the task, more than {_MOST_MASKS}.",
            hint="Name their directory in deny_read, or start in a smaller directory.",
        )
    return masked, _outermost(denied), secrets.complete


def _outermost(paths: Iterable[str]) -> tuple[str, ...]:
    found: list[str] = []
    for path in sorted(set(paths)):
        if not any(within(path, each) for each in found):
            found.append(path)
    return tuple(found)


def _expand(patterns: Iterable[str], wanted: Wanted) -> tuple[str, ...]:
    """Real paths of what the patterns stand for now; relative ones are the workspace's.

    Raises:
        LaunchFailed: there is too much of it to look through.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern == "~" or pattern.startswith("~/"):
            base, name = wanted.home, pattern[1:].lstrip("/")
        else:
            base, name = wanted.workspace, pattern
        if os.path.isabs(name):
            base = "/"
        try:
            matches = expand(name, base, _SEARCH_STRICT)
        except TimeoutError:
            raise LaunchFailed(
                f"{pattern} stands for too much to look through.", hint="Name it more exactly."
            ) from None
        found |= dict.fromkeys(os.path.realpath(path) for path in matches)
    return tuple(found)


def _check_let_in(paths: Iterable[str], wanted: Wanted) -> None:
    home = os.path.realpath(wanted.home)
    for path in paths:
        if within(home, path):
            raise LaunchFailed(
                f"{path} holds your whole home, which a contained task must not see.",
                hint="Let in only what the task needs.",
            )
        for kept in wanted.absent:
            if within(path, kept) or within(kept, path):
                raise LaunchFailed(
                    f"{path} would let in {kept}, which is kept from every task.",
                    hint="Let in something else.",
                )
