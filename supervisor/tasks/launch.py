"""How a task starts: its identity is established, its container planned, its holder spawned.

The order is what makes it safe: identity → record → holder → adoption → agent. Nothing of the
agent runs before its start is on record and its listeners are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from supervisor.channels.http.environment import NAMES
from supervisor.core import Engine
from supervisor.errors import LaunchFailed, TaskpassError, UsageError
from supervisor.grants.book import TaskEntry, fresh_handle
from supervisor.identity import evidence
from supervisor.model import Agent, Limits, McpServer, Runtime, Task, Tier, User, new_id
from supervisor.needs import Needs
from supervisor.paths import Paths, private_dir
from supervisor.policy.in_force import Policies
from supervisor.policy.needs import sources as need_sources
from supervisor.policy.project import Project
from supervisor.policy.source import PolicySource
from supervisor.ports import (
    Containment,
    LaunchPlan,
    LaunchRequest,
    PolicyEngine,
    Profile,
    SpawnRequest,
)
from supervisor.process import cgroup
from supervisor.process.containment import within
from supervisor.process.holder import screen_token
from supervisor.process.plan import Plan
from supervisor.process.probe import Probe
from supervisor.protocol import wire
from supervisor.tasks import environment, limits, network, own_call, refusing, saved, standing_in
from supervisor.tasks.adopting import Adopting
from supervisor.tasks.ci_job import CiJobs
from supervisor.tasks.containing import Containing, Setting
from supervisor.tasks.lifecycle import Lifecycle
from supervisor.tasks.preparing import Preparing
from supervisor.tasks.saved import TaskFile

_TOKEN_BYTES = 24


class Spawner(Protocol):
    """Starts holders (`process.zygote.Zygote`)."""

    async def spawn(self, request: SpawnRequest, token: str) -> None: ...


@dataclass(slots=True)
class Launched:
    entry: TaskEntry
    socket: str
    token: str
    needs_waiting: int = 0  # needs of its project that the person has not answered
    mcp: tuple[McpServer, ...] = ()  # its MCP servers, of which the person should know something


@dataclass(frozen=True, slots=True)
class _Planned:
    """All that is known of a task before anything of it exists but its directory."""

    task: Task
    profile: Profile
    plan: LaunchPlan
    held: Plan
    policy: PolicyEngine
    tightening: tuple[PolicySource, ...]
    ports: dict[str, int]
    hook_token: str
    way_out: dict[str, str]
    folder: Path
    needs_waiting: int

    @property
    def agent_dir(self) -> Path:
        return saved.agent_dir(self.folder)


@dataclass(slots=True)
class Launcher:
    """Starts tasks."""

    paths: Paths
    engine: Engine
    lifecycle: Lifecycle
    adopting: Adopting
    spawner: Spawner
    probe: Probe
    find_profile: Callable[[Sequence[str], str], Profile]
    session: str
    digests: evidence.Digests
    containing: Containing
    loopback: tuple[int, ...]  # ports of the machine's loopback that contained tasks may reach
    policies: Policies
    overlay: bool  # every task works on an overlay
    record: bool  # what every terminal shows is kept
    limits: Limits  # of every task, where nothing lower is asked for
    needs: Needs  # of projects, as the person accepted them
    jobs: CiJobs
    user: Callable[[], User] = evidence.current_user  # with who a provider says that is

    async def start(self, request: wire.StartTask) -> Launched:
        """Start one task.

        Raises:
            UsageError, AgentNotFound, AgentNotExecutable, LaunchFailed, LedgerFailed: nothing
            of the task runs and nothing of it is left.
        """
        if request.under:
            request = own_call.under(self.engine.book, request)
        profile, executable = self._recognise(request)
        setting = await asyncio.to_thread(self.containing.setting, request)
        task_id = new_id("t")
        folder = private_dir(self.paths.task(task_id))
        try:
            planned = await refusing.recorded(
                self.engine.records, self.user(), profile.name, request,
                self._plan(request, profile, executable, setting, task_id, folder),
            )  # fmt: skip
            return await self._run(request, planned)
        except BaseException as error:
            self.engine.desk.runtimes.pop(task_id, None)
            self.containing.placeholders.release(task_id)
            await self.adopting.reviews.discard(task_id)
            await self.adopting.recordings.discard(task_id)
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise LaunchFailed(
                    f"Cannot set the task up: {error.strerror or error}.",
                    hint=f"Check the disk that holds {self.paths.runtime}.",
                ) from error
            raise

    def _recognise(self, request: wire.StartTask) -> tuple[Profile, str]:
        if not request.argv:
            raise UsageError("There is no program to run.", hint="Give one after `--`.")
        if request.record and not request.interactive:
            raise UsageError(
                "Without a screen there is nothing to record.", hint="Leave --headless out."
            )
        if not os.path.isdir(request.cwd):
            raise UsageError(f"{request.cwd} is not a directory.", hint="Choose another.")
        profile = self.find_profile(request.argv, request.profile)
        executable = evidence.find_executable(
            request.argv[0], request.cwd, request.environ.get("PATH", os.defpath)
        )
        return profile, executable

    # ── before anything of it runs ──────────────────────────────────────────────────────

    async def _plan(
        self,
        request: wire.StartTask,
        profile: Profile,
        executable: str,
        setting: Setting,
        task_id: str,
        folder: Path,
    ) -> _Planned:
        contained = setting.tier.contained
        ports = _ports(contained)
        hook_token = secrets.token_urlsafe(_TOKEN_BYTES)
        launch = LaunchRequest(
            task=task_id,
            argv=(executable, *request.argv[1:]),
            cwd=request.cwd,
            home=request.environ.get("HOME", "/"),
            environ=request.environ,
            task_dir=str(private_dir(saved.agent_dir(folder))),
            hook_url=f"http://127.0.0.1:{ports['hooks']}/{hook_token}",
            hook_timeout=int(self.adopting.hold) + 30,
            contained=contained,
            interactive=request.interactive,
            mcp_url=f"http://127.0.0.1:{ports['mcp']}/{hook_token}",
            lent=standing_in.names(self.engine.vault, setting.workspace),
            leading=tuple(sorted(NAMES)),
            no_proxy=environment.tools_exceptions(setting.tier, self.adopting.allow_private()),
        )
        shown = await standing_in.files(self.engine.vault, setting.workspace)
        preparing = Preparing(self.adopting.ways, self.containing, self.digests)
        prepared = await asyncio.to_thread(
            preparing.prepare, request, profile, launch, setting, shown
        )
        plan, held = prepared.plan, prepared.held
        runtime = await self.jobs.vouched(request, prepared.runtime)
        task = self._identified(request, prepared.agent, setting, runtime, task_id)
        if request.under:
            task, policy = own_call.bounded(self.engine, request.under, task)
            tightening: tuple[PolicySource, ...] = ()
        else:
            task, tightening, policy = await self._policy(task, setting.project)
        _check_overlay(task, held.containment, plan)
        limits.check(task.limits, self.adopting.delegation)
        if contained:
            models = network.loopback_ports(plan.model_hosts)
            listed = (*self.loopback, *request.loopback)
            ports = network.sockets_of(setting.tier, models, listed, mcp=bool(plan.mcp))
        elif not plan.mcp:
            del ports["mcp"]
        answered = self.needs.answered(task.workspace, setting.project.needs)
        return _Planned(
            task=task,
            profile=profile,
            plan=plan,
            held=held,
            policy=policy,
            tightening=tightening,
            ports=ports,
            hook_token=hook_token,
            way_out=prepared.way_out,
            folder=folder,
            needs_waiting=0 if answered else len(setting.project.needs),
        )

    async def _policy(
        self, task: Task, project: Project
    ) -> tuple[Task, tuple[PolicySource, ...], PolicyEngine]:
        """The task with its limits, and its policy, by what its project asks for.

        Read once: what changes in the workspace later changes nothing for this task.
        """
        if task.preset == self.policies.preset and not (project.digest or project.needs):
            return task, (), self.policies.for_task()  # in memory: no thread for that
        task = replace(task, limits=project.tightened(task.limits))
        task = replace(task, overlay=task.overlay or project.overlay)
        task = replace(task, needs=self.needs.accepted(task.workspace, project.needs))
        needed = need_sources(task.needs, task.limits.max_age)
        tightening = (*project.sources_for(task.preset), *needed)
        policy = await asyncio.to_thread(self.policies.for_task, task.preset, tightening)
        return task, tightening, policy

    def _identified(
        self,
        request: wire.StartTask,
        agent: Agent,
        setting: Setting,
        runtime: Runtime,
        task_id: str,
    ) -> Task:
        """All four parts, or no task."""
        return Task(
            id=task_id,
            session=self.session,
            purpose=request.purpose or " ".join(request.argv)[:60],
            cwd=request.cwd,
            argv=request.argv,
            user=self.user(),
            agent=agent,
            runtime=runtime,
            limits=limits.asked_for(request, self.limits),
            created=time.time(),
            repository=setting.repository,
            branch=setting.branch,
            preset=request.preset or self.policies.preset,
            overlay=request.overlay or self.overlay,
            record=request.interactive and (request.record or self.record),
            unattended=request.unattended,
        )

    # ── it runs ─────────────────────────────────────────────────────────────────────────

    async def _run(self, request: wire.StartTask, planned: _Planned) -> Launched:
        book, task = self.engine.book, planned.task
        above = book.task(request.under) if request.under else None
        entry = book.add_child(task, above) if above else book.add_task(task)
        entry.policy = planned.policy.digest
        entry.pane = request.interactive
        handle = "" if planned.profile.announces else fresh_handle()
        try:
            spawn = await self._spawn_request(request, planned, entry, handle)
            if planned.task.record:
                await self.adopting.recordings.prepare(planned.task.id)
            task_file = TaskFile(
                task=planned.task,
                number=entry.number,
                token=secrets.token_urlsafe(_TOKEN_BYTES),
                hook_token=planned.hook_token,
                ports=planned.ports,
                model_hosts=planned.plan.model_hosts,
                process_handle=handle,
                pane=request.interactive,
                tools_online=planned.plan.tools_online,
                tightening=planned.tightening,
                marks=dict(planned.held.marks),
                folders=planned.plan.folders,
                way_out=planned.way_out,
            )
            saved.save(planned.folder, task_file)
            # No record, no task. The holder may be made meanwhile: it starts nothing of the agent
            # before it is adopted.
            record = self._record(entry, handle, planned.plan.mcp)
            if above is not None:
                await record  # it may be refused, and a person be asked first
                await self.spawner.spawn(spawn, task_file.token)
            else:
                await _all(record, self.spawner.spawn(spawn, task_file.token))
            self.engine.step("start.spawned")
            await self.adopting.adopt(
                entry, planned.profile, planned.policy, task_file, planned.folder
            )
            self.engine.step("start.adopted")
        except BaseException as error:
            reason = str(error) if isinstance(error, TaskpassError) else "launch failed"
            await self.lifecycle.fail(entry, reason)
            raise
        mcp = tuple(each for each in planned.plan.mcp if each.without or each.left_out)
        token = screen_token(task_file.token)
        return Launched(entry, spawn.socket, token, planned.needs_waiting, mcp)

    async def _spawn_request(
        self, request: wire.StartTask, planned: _Planned, entry: TaskEntry, handle: str
    ) -> SpawnRequest:
        task = planned.task
        env = await environment.variables(
            self.engine,
            task,
            planned.plan.env,
            planned.agent_dir,
            planned.ports,
            self.adopting.ways.believed(planned.way_out),
            handle,
            self.adopting.allow_private(),
            alone=planned.plan.alone,
        )
        env |= await standing_in.variables(self.engine.vault, task, request.environ)
        limited = cgroup.limited(task.limits)
        return SpawnRequest(
            task=task.id,
            argv=planned.plan.argv,
            env=env,
            cwd=request.cwd,
            containment=planned.held.containment,
            task_dir=str(planned.agent_dir),
            tier=task.runtime.tier,
            bwrap=self.probe.bwrap if task.runtime.tier is Tier.A else "",
            listeners=tuple(planned.ports),
            ports=tuple(planned.ports.values()),
            pty=request.interactive,
            cols=request.cols,
            rows=request.rows,
            socket=saved.holder_socket(planned.folder),
            cgroup=self.adopting.delegation.path if limited else "",
            limits=task.limits,
            overlay=await self.adopting.reviews.make_room(entry) if task.overlay else "",
            umask=request.umask & 0o777,
        )

    async def _record(self, entry: TaskEntry, handle: str, mcp: Sequence[McpServer]) -> None:
        """The task, and the one call of an agent that announces none, in one commit.

        A command under another task is judged first (`own_call`).
        """
        if entry.above is not None:
            await self.lifecycle.create(entry)
            await own_call.open_own_call(self.engine, entry, handle)
            return
        records = [self.lifecycle.create(entry)]
        if mcp:
            servers = [asdict(server) for server in mcp]
            records.append(self.engine.records.write("mcp.wrapped", entry, servers=servers))
        if handle:
            records.append(self.lifecycle.open_process_call(entry, handle))
        await _all(*records)


async def _all(*work: Awaitable[None]) -> None:
    """Do it all at once; when some of it fails, let the rest come to its end first."""
    for outcome in await asyncio.gather(*work, return_exceptions=True):
        if outcome is not None:
            raise outcome


def _check_overlay(task: Task, containment: Containment, plan: LaunchPlan) -> None:
    """Raises LaunchFailed: what the task changes would not all wait for a person."""
    if not task.overlay:
        return
    if task.runtime.tier is not Tier.A:
        raise LaunchFailed(
            f"Working on an overlay needs containment of tier A: {task.runtime.detail}.",
            hint="Start without --overlay; where the project asks for it, see taskpass.toml.",
        )
    known = {mount.path for mount in plan.mounts} | set(task.runtime.let_write)
    for path in containment.writable:
        if path not in known and not within(path, task.workspace):
            raise LaunchFailed(
                f"The repository's own directory is {path}, which an overlay does not cover.",
                hint="Start in the main work tree, or in a clone.",
            )


def _ports(contained: bool) -> dict[str, int]:
    """Ports of a task's listeners, by name."""
    if contained:
        return network.sockets_of(Tier.A, (), ())
    # Bound together so that they differ; the holder binds them again a moment later and
    # reports a clash, which ends the launch.
    with contextlib.ExitStack() as stack:
        made = {
            name: stack.enter_context(socket.socket()) for name in ("proxy", "hooks", "git", "mcp")
        }
        for sock in made.values():
            sock.bind(("127.0.0.1", 0))
        return {name: sock.getsockname()[1] for name, sock in made.items()}
