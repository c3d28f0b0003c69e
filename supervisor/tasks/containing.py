"""Where a task starts and how it is contained: what the person, the project and the machine say.

The strictest word counts: a project only tightens what the person chose for all tasks, or named on
the command line for this one.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from supervisor.errors import LaunchFailed, UsageError
from supervisor.identity.evidence import repository_of, runtime_evidence
from supervisor.model import Evidence, Runtime, Tier
from supervisor.policy.project import Project, read_project
from supervisor.ports import Containment, LaunchPlan
from supervisor.process import root_equivalents
from supervisor.process.containment import MODES, digest, within
from supervisor.process.landlock_rules import not_held
from supervisor.process.placeholders import Placeholders, write_notice
from supervisor.process.plan import Plan, Wanted, Wishes, make_plan
from supervisor.process.probe import Probe
from supervisor.process.root_equivalents import Hole
from supervisor.protocol import wire

_SHOWN = 3  # paths named in a sentence


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a task starts.

    Attributes:
        repository, branch: of the git work tree around it, "" outside one.
        mode: "off", "standard" or "strict".
        tier: what will hold it; `detail` says why not a better one.
    """

    cwd: str
    repository: str
    branch: str
    project: Project
    mode: str
    tier: Tier
    detail: str

    @property
    def workspace(self) -> str:
        return self.repository or self.cwd


@dataclass(frozen=True, slots=True)
class Containing:
    """How this supervisor contains its tasks.

    Attributes:
        mode: of tasks that name none.
        absent: our own state, kept from every task.
    """

    probe: Probe
    mode: str
    wishes: Wishes
    absent: tuple[str, ...]
    placeholders: Placeholders

    def setting(self, request: wire.StartTask) -> Setting:
        """What holds for a task that starts so.

        Raises:
            UsageError: no such mode, or the whole home would be seen.
            PolicyError: the project's file cannot be used.
            LaunchFailed: "strict" is wanted, and nothing contains a task here.
        """
        if request.contain and request.contain not in MODES:
            raise UsageError(
                f"There is no containment {request.contain!r}.", hint=f"Use {', '.join(MODES)}."
            )
        repository, branch = repository_of(request.cwd)
        project = read_project(repository or request.cwd)
        chosen = request.contain or self.mode
        mode = max(chosen, project.contain, key=MODES.index)
        detail = self.probe.detail
        if mode != chosen:
            detail += f"; {mode}, as the project asks"
        tier = self.probe.tier
        if mode == "off":
            by = "--contain off" if request.contain else "config.toml"
            tier, detail = Tier.UNCONTAINED, f"switched off by {by}"
        elif not tier.contained:
            if mode == "strict":
                raise LaunchFailed(
                    f"Nothing contains a task here, and strict is asked for: {detail}.",
                    hint="taskpass doctor tells what would change that.",
                )
            mode = "off"
        setting = Setting(request.cwd, repository, branch, project, mode, tier, detail)
        if tier.contained:
            _check_home(setting, request.environ.get("HOME", "/"))
        return setting

    def plan(
        self,
        task: str,
        setting: Setting,
        request: wire.StartTask,
        launch: LaunchPlan,
        shown: tuple[str, ...] = (),
    ) -> Plan:
        """What a contained task will see, with everything on the disk that this rests on.

        Args:
            shown: files that look as if they held secrets, and hold stand-ins.

        Raises:
            LaunchFailed: something cannot be kept from the task as it must be, or be put where the
                agent looks for it.
        """
        mounts, placed = launch.mounts, list[str]()
        if setting.tier is not Tier.A:
            placed = [mount.path for mount in mounts if mount.source and not mount.optional]
            mounts = tuple(mount for mount in mounts if not mount.source)
        if placed:
            raise LaunchFailed(
                f"This agent needs {placed[0]} of ours, which only a container of tier A can show.",
                hint="`taskpass doctor` tells what this machine lacks for that.",
            )
        wishes = replace(
            self.wishes,
            show=(*self.wishes.show, *map(glob.escape, shown)),
            deny_read=(*self.wishes.deny_read, *setting.project.deny_read),
            show_now=request.show,
            write_now=request.write,
        )
        wanted = Wanted(
            task=task,
            mode=setting.mode,
            workspace=setting.workspace,
            cwd=setting.cwd,
            home=request.environ.get("HOME", "/"),
            mounts=mounts,
            settings=launch.guarded,
            folders=launch.folders,
            absent=self.absent,
            wishes=wishes,
            environ=request.environ,
        )
        return make_plan(wanted, self.placeholders)

    def runtime(self, setting: Setting, plan: Plan, task_dir: str) -> Runtime:
        """Where the task runs, with what policy and people are told of its container."""
        held = plan.containment
        loose = _not_held(setting.tier, held)
        plain = runtime_evidence(setting.tier, "; ".join((setting.detail, *plan.notes, *loose)), "")
        if not setting.tier.contained:
            return replace(plain, let_read=plan.let_read)
        write_notice(task_dir)
        return replace(
            plain,
            sandbox_profile=digest(held, task_dir),
            containment=setting.mode,
            guarded=held.guarded,
            masked=held.masked,
            denied=plan.denied,
            writable=held.writable,
            let_read=plan.let_read,
            let_write=plan.let_write,
        )


def ways_out(environ: Mapping[str, str]) -> tuple[Hole, ...]:
    """The ways out as good as root that are open to this account now.

    `environ`: of the terminal the task is started from; it names sockets of agents and buses.
    """
    return root_equivalents.found(root_equivalents.account_now(environ))


def with_holes(runtime: Runtime, held: Containment, found: Iterable[Hole]) -> Runtime:
    """The runtime, with those of the ways out that stay open in it."""
    shown = (held.workspace, *(mount.path for mount in held.mounts), *held.sockets)
    holes = root_equivalents.reachable(found, runtime.tier, shown)
    return replace(runtime, holes=tuple(hole.label for hole in holes))


def elsewhere(runtime: Runtime) -> Runtime:
    """Of an agent that is not here: nobody but the person says where it is, and what holds it.

    Raises:
        LaunchFailed: it was to be contained.
    """
    if runtime.tier.contained:
        raise LaunchFailed(
            "An agent that runs elsewhere is not contained by us, and that is asked for here.",
            hint="Start it where no taskpass.toml asks for containment.",
        )
    return replace(
        runtime,
        kind="sandbox",
        evidence=Evidence.NONE,
        detail="its agent runs in a container or sandbox elsewhere, which we do not attest",
        holes=(),
    )


def _not_held(tier: Tier, held: Containment) -> list[str]:
    """In words, what of the plan programs of the task can get around."""
    paths = not_held(held) if tier is Tier.B else ()
    if not paths:
        return []
    shown = ", ".join(os.path.relpath(path, held.workspace) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return [f"open to programs, since only tier A can keep them: {shown}{more}"]


def _check_home(setting: Setting, home: str) -> None:
    if within(os.path.realpath(home), os.path.realpath(setting.cwd)):
        raise UsageError(
            f"{setting.cwd} holds your whole home, which a contained task must not see.",
            hint="Start in a project's directory, or give --contain off.",
        )
