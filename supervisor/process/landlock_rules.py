"""The plan of a contained task (`ports.Containment`) as rules of Landlock: tier B's view of files.

Pure but for looking at which paths exist. A rule opens a directory with everything in it, and
nothing can be taken out again. So where something must not be opened, the directories around it
are opened entry by entry, which costs their level: nothing new can be made there, and what lies
there now can be neither renamed nor removed. That price is paid for what is absent, for what a
person or project named, and in the mode "strict" for all that is guarded or masked; in "standard"
the rest stays open where the task may write (`not_held`), since git and editors make new files
beside it all the time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from supervisor.ports import Containment, SpawnRequest
from supervisor.process.bubblewrap import ETC, MERGED, SYSTEM
from supervisor.process.containment import within
from supervisor.process.landlock import Access, Rule

_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
# What a container does without: there it is missing, which programs expect; here it would be there
# and refused, which ends them (pip, by /etc/debian_version).
_ETC_BESIDES = re.compile(
    r"(debian_version|lsb-release|\w+-release|timezone|locale\.(conf|alias)|inputrc|terminfo|magic"
    r"(\.mime)?|mailcap|networks|rpc|ethertypes|ld\.so\.conf(\.d)?|python3(\.\d+)?|perl|java-\S+"
    r"|gnutls|wgetrc|nanorc|vim|login\.defs|xattr\.conf|machine-id|manpath\.config)"
)
# Other processes' parts of /proc stay closed: Landlock refuses whatever needs the right to trace
# them (memory, environment, descriptors). Their names and command lines can be read.
_KERNEL = (
    "/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Private:
    """Directories of the task's own that stand in for those it must not share."""

    home: str
    temporary: str

    @classmethod
    def of(cls, task_dir: str) -> Private:
        return cls(os.path.join(task_dir, "home"), os.path.join(task_dir, "tmp"))

    @property
    def environment(self) -> dict[str, str]:
        """What points programs to them."""
        names = ("TMPDIR", "TMP", "TEMP")
        return {"HOME": self.home} | dict.fromkeys(names, self.temporary)


def not_held(plan: Containment) -> tuple[str, ...]:
    """What tier A would keep from a task with this plan, and tier B does not."""
    if _strict(plan):
        return ()
    open_to_read = [
        path
        for path in _inside(plan.masked, *plan.writable)
        if not any(within(path, each) for each in plan.denied)
    ]
    return (*open_to_read, *_kept(plan))


def file_rules(request: SpawnRequest, terminal: str) -> list[Rule]:
    """All rules for one task. `terminal`: path of its pane's terminal, "" for none."""
    plan, private = request.containment, Private.of(request.task_dir)
    besides = (name for name in sorted(os.listdir("/etc")) if _ETC_BESIDES.fullmatch(name))
    system = (*SYSTEM, *MERGED, *(f"/etc/{name}" for name in (*ETC, *besides)))
    rules = [Rule(os.path.realpath(path), Access.READ) for path in system]
    rules += [Rule(path, Access.READ) for path in (*_KERNEL, request.task_dir)]
    rules += [Rule(path, Access.DEVICE) for path in (*_DEVICES, terminal) if path]
    rules += [Rule(path, Access.WRITE) for path in (private.home, private.temporary)]
    places = {mount.path: mount.writable for mount in plan.mounts} | {plan.workspace: True}
    for path, writable in places.items():
        costly = writable and not _strict(plan)
        closed = (*plan.absent, *(plan.denied if costly else plan.masked))
        kept = closed if costly else (*closed, *_kept(plan))
        for part, whole in _open(path, _inside(closed, path)):
            if whole:
                rules.append(Rule(part, Access.READ))
            elif not any(within(hidden, part) for hidden in plan.absent):
                rules.append(Rule(part, Access.LIST))
        if writable:
            parts = _open(path, _inside(kept, path))
            rules += [Rule(part, Access.WRITE) for part, whole in parts if whole]
    return rules


def search_path(value: str, rules: Sequence[Rule]) -> str:
    """PATH without what the rules do not open.

    A program there would still be found, since Landlock hides nothing, and then not start: the
    one of the same name further down would never be tried.
    """
    opened = [rule.path for rule in rules if rule.access in (Access.READ, Access.WRITE)]
    entries = value.split(os.pathsep)
    return os.pathsep.join(
        entry for entry in entries if any(within(os.path.realpath(entry), at) for at in opened)
    )


def _strict(plan: Containment) -> bool:
    return plan.mode == "strict"


def _kept(plan: Containment) -> tuple[str, ...]:
    """What stays as it is inside something writable."""
    readable = (mount.path for mount in plan.mounts if not mount.writable)
    nested = (path for path in readable if _inside((path,), *plan.writable))
    return (*plan.guarded, *nested)


def _inside(paths: tuple[str, ...], *places: str) -> tuple[str, ...]:
    """Those below one of the places: a deeper path has the last word over those around it."""
    return tuple(path for path in paths if any(path != at and within(path, at) for at in places))


def _open(path: str, closed: tuple[str, ...]) -> Iterator[tuple[str, bool]]:
    """The parts of `path` that hold nothing closed, each once as large as it can be.

    Yields (path, True) for those, and (path, False) for the directories between them.
    """
    if any(within(path, hidden) for hidden in closed):
        return
    if not any(within(hidden, path) for hidden in closed):
        yield path, True
        return
    yield path, False
    try:
        entries = sorted(entry.path for entry in os.scandir(path) if not entry.is_symlink())
    except OSError:
        return
    for entry in entries:
        yield from _open(entry, closed)
