"""How a task starts: its identity is established, its container planned, its holder spawned.

The order is what makes it safe: identity → record → holder → adoption → agent. Nothing of the
agent runs before its start is on record and its listeners are served.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import msgspec

from supervisor import procfs
from supervisor.calls.attestation import agent_handle
from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.environment import (
    bind_script,
    environment,
    proxy_url,
    shell_prefix,
    sourced,
)
from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.channels.network.reports import Reports
from supervisor.core import Engine
from supervisor.desk import TaskRuntime
from supervisor.errors import LaunchFailed, TaskpassError, UsageError
from supervisor.grants.book import TaskEntry, fresh_handle
from supervisor.grants.recovery import Recovered
from supervisor.identity import evidence
from supervisor.identity.attest_linux import SockDiagOwner
from supervisor.intake.hooks_http import HookIntake
from supervisor.model import CallIdentity, Limits, Process, Runtime, Task, Tier, User, new_id
from supervisor.needs import Needs
from supervisor.paths import Paths, private_dir
from supervisor.policy.in_force import Policies
from supervisor.policy.needs import sources as need_sources
from supervisor.policy.project import Project
from supervisor.policy.source import PolicySource
from supervisor.ports import (
    Channel,
    Containment,
    LaunchPlan,
    LaunchRequest,
    PolicyEngine,
    Profile,
    SpawnRequest,
    TaskControl,
)
from supervisor.process import cgroup
from supervisor.process.containment import within
from supervisor.process.holder import screen_token
from supervisor.process.plan import Plan
from supervisor.process.probe import Probe
from supervisor.process.unchanged import differing
from supervisor.process.watch import watch
from supervisor.protocol import wire
from supervisor.tasks import limits, network, outfit, standing_in
from supervisor.tasks.containing import Containing, Setting, ways_out, with_holes
from supervisor.tasks.holder_link import HolderLink
from supervisor.tasks.lifecycle import Lifecycle
from supervisor.tasks.reviewing import Reviews
from supervisor.ways_out import WaysOut

log = logging.getLogger("supervisor")

_TOKEN_BYTES = 24


class Spawner(Protocol):
    """Starts holders (`process.zygote.Zygote`)."""

    async def spawn(self, request: SpawnRequest, token: str) -> None: ...


class TaskFile(msgspec.Struct, frozen=True):
    """What a restarted daemon needs to take a task over; 0600 in the task's directory."""

    task: Task
    number: int
    token: str
    hook_token: str
    ports: dict[str, int]
    model_hosts: tuple[str, ...]
    process_handle: str
    pane: bool
    tools_online: bool = True  # see `ports.LaunchPlan`
    tightening: tuple[PolicySource, ...] = ()  # what its project asked for when it began
    marks: dict[str, str] = {}  # of what is guarded (`process.unchanged`) …
    folders: tuple[str, ...] = ()  # … but for these in it
    way_out: dict[str, str] = {}  # see `ways_out.WaysOut.of`


@dataclass(slots=True)
class Launched:
    entry: TaskEntry
    socket: str
    token: str
    needs_waiting: int = 0  # needs of its project that the person has not answered


@dataclass(slots=True)
class Launcher:
    """Starts tasks and takes over running ones."""

    paths: Paths
    engine: Engine
    lifecycle: Lifecycle
    spawner: Spawner
    probe: Probe
    authority: CertificateAuthority
    ways: WaysOut
    find_profile: Callable[[Sequence[str], str], Profile]
    session: str
    hold: float  # seconds a hook is held for a person
    make_channel: Callable[..., HttpProxyChannel]
    digests: evidence.Digests
    containing: Containing
    loopback: tuple[int, ...]  # ports of the machine's loopback that contained tasks may reach
    allow_private: Callable[[], frozenset[str]]  # hosts that may be private addresses
    policies: Policies
    overlay: bool  # every task works on an overlay
    limits: Limits  # of every task, where nothing lower is asked for
    delegation: cgroup.Delegation
    reviews: Reviews
    needs: Needs  # of projects, as the person accepted them
    user: Callable[[], User] = evidence.current_user  # with who a provider says that is
    holders: dict[str, Process] = field(default_factory=dict)  # task → its holder

    async def start(self, request: wire.StartTask) -> Launched:
        """Start one task.

        Raises:
            UsageError, AgentNotFound, AgentNotExecutable, LaunchFailed, LedgerFailed: nothing
            of the task runs and nothing of it is left.
        """
        profile, executable = self._recognise(request)
        setting = await asyncio.to_thread(self.containing.setting, request)
        task_id = new_id("t")
        folder = private_dir(self.paths.task(task_id))
        try:
            return await self._start(request, profile, executable, setting, task_id, folder)
        except BaseException as error:
            self.engine.desk.runtimes.pop(task_id, None)
            self.containing.placeholders.release(task_id)
            await self.reviews.discard(task_id)
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
        if not os.path.isdir(request.cwd):
            raise UsageError(f"{request.cwd} is not a directory.", hint="Choose another.")
        profile = self.find_profile(request.argv, request.profile)
        executable = evidence.find_executable(
            request.argv[0], request.cwd, request.environ.get("PATH", os.defpath)
        )
        return profile, executable

    async def _start(
        self,
        request: wire.StartTask,
        profile: Profile,
        executable: str,
        setting: Setting,
        task_id: str,
        folder: Path,
    ) -> Launched:
        contained = setting.tier.contained
        looking = asyncio.ensure_future(asyncio.to_thread(ways_out, request.environ))
        task_dir = private_dir(folder / "agent")
        ports = _ports(contained)
        hook_token = secrets.token_urlsafe(_TOKEN_BYTES)
        way_out = await asyncio.to_thread(self.ways.of, request.environ)
        plan = await asyncio.to_thread(
            profile.prepare,
            LaunchRequest(
                task=task_id,
                argv=(executable, *request.argv[1:]),
                cwd=request.cwd,
                home=request.environ.get("HOME", "/"),
                environ=request.environ,
                task_dir=str(task_dir),
                hook_url=f"http://127.0.0.1:{ports['hooks']}/{hook_token}",
                hook_timeout=int(self.hold) + 30,
                contained=contained,
                interactive=request.interactive,
            ),
        )
        shown = await standing_in.files(self.engine.vault, setting.workspace)
        if contained:
            held = await asyncio.to_thread(
                self.containing.plan, task_id, setting, request, plan, shown
            )
            plan = replace(plan, env={**plan.env, **held.environ})
        else:
            held = Plan(Containment("off", setting.workspace), let_read=shown)
        runtime = self.containing.runtime(setting, held, str(task_dir))
        runtime = with_holes(runtime, held.containment, await looking)
        runtime = replace(runtime, agent_sandbox=plan.agent_sandbox)
        task = await self._identify(request, profile, plan, executable, setting, runtime, task_id)
        task, tightening, policy = await self._policy(task, setting.project)
        _check_overlay(task, held.containment, plan)
        limits.check(task.limits, self.delegation)
        if contained:
            models = network.loopback_ports(plan.model_hosts)
            ports = network.sockets_of(setting.tier, models, (*self.loopback, *request.loopback))
        entry = self.engine.book.add_task(task)
        entry.policy = policy.digest
        entry.pane = request.interactive
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        try:
            handle = fresh_handle() if profile.call_identity is CallIdentity.PROCESS else ""
            env = await self._environment(entry, plan, task_dir, ports, handle, way_out)
            env |= await standing_in.variables(self.engine.vault, task, request.environ)
            spawn = SpawnRequest(
                task=task_id,
                argv=plan.argv,
                env=env,
                cwd=request.cwd,
                containment=held.containment,
                task_dir=str(task_dir),
                tier=task.runtime.tier,
                bwrap=self.probe.bwrap if setting.tier is Tier.A else "",
                listeners=tuple(ports),
                ports=tuple(ports.values()),
                pty=request.interactive,
                cols=request.cols,
                rows=request.rows,
                socket=str(folder / "holder.sock"),
                cgroup=self.delegation.path if cgroup.limited(task.limits) else "",
                limits=task.limits,
                overlay=await self.reviews.make_room(entry) if task.overlay else "",
                umask=request.umask & 0o777,
            )
            saved = TaskFile(
                task=task,
                number=entry.number,
                token=token,
                hook_token=hook_token,
                ports=ports,
                model_hosts=plan.model_hosts,
                process_handle=handle,
                pane=request.interactive,
                tools_online=plan.tools_online,
                tightening=tightening,
                marks=dict(held.marks),
                folders=plan.folders,
                way_out=way_out,
            )
            _write_private(folder / "task.json", msgspec.json.encode(saved))
            # No record, no task. The holder may be made meanwhile: it starts nothing of the agent
            # before it is adopted.
            await _all(self._record(entry, handle), self.spawner.spawn(spawn, token))
            self.engine.step("start.spawned")
            await self._adopt(entry, profile, policy, saved, folder)
            self.engine.step("start.adopted")
        except BaseException as error:
            reason = str(error) if isinstance(error, TaskpassError) else "launch failed"
            await self.lifecycle.fail(entry, reason)
            raise
        answered = self.needs.answered(task.workspace, setting.project.needs)
        waiting = 0 if answered else len(setting.project.needs)
        return Launched(entry, spawn.socket, screen_token(token), waiting)

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

    async def _identify(
        self,
        request: wire.StartTask,
        profile: Profile,
        plan: LaunchPlan,
        executable: str,
        setting: Setting,
        runtime: Runtime,
        task_id: str,
    ) -> Task:
        """All four parts, or no task."""
        program = plan.argv[0] if os.path.isabs(plan.argv[0]) else executable
        agent = await asyncio.to_thread(
            evidence.agent_evidence,
            profile.name,
            program,
            profile.version(executable),
            profile.call_identity,
            self.digests,
        )
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
        )

    async def _environment(
        self,
        entry: TaskEntry,
        plan: LaunchPlan,
        task_dir: Path,
        ports: Mapping[str, int],
        handle: str,
        way_out: Mapping[str, str],
    ) -> dict[str, str]:
        """The agent's environment. `handle`: for agents that announce no calls, their one."""
        bundle = task_dir / "ca.pem"
        bundle.write_bytes(self.ways.believed(way_out))
        # An agent with hooks reaches them, and local models, directly; its tools get the handle
        # of their own call, and no exception, from the rewritten command.
        env = dict(plan.env) | environment(
            str(bundle),
            proxy_url(handle or agent_handle(entry.task.id), ports["proxy"]),
            no_proxy=self._exceptions(entry.task) if handle else "127.0.0.1,localhost",
        )
        env["TASKPASS_TASK"] = entry.task.id
        env |= await outfit.variables(self.engine, entry.task, task_dir, ports, env)
        return env

    def _exceptions(self, task: Task) -> str:
        """NO_PROXY of the task's tools."""
        if not task.runtime.tier.contained:
            return ""
        return network.proxy_exceptions(self.allow_private())

    def _shell_prefix(self, task: Task, task_dir: Path, port: int) -> Callable[[str], str]:
        """What binds a shell to its call: short where the task cannot alter the file it names."""
        exceptions = self._exceptions(task)
        if not task.runtime.tier.contained:
            return lambda handle: shell_prefix(handle, port, exceptions)
        file = task_dir / "bind"
        file.write_text(bind_script(port, exceptions))
        return lambda handle: sourced(str(file), handle)

    async def _record(self, entry: TaskEntry, handle: str) -> None:
        """The task, and the one call of an agent that announces none, in one commit."""
        records = [self.lifecycle.create(entry)]
        if handle:
            records.append(self.lifecycle.open_process_call(entry, handle))
        await _all(*records)

    # ── adoption ────────────────────────────────────────────────────────────────────────

    async def _adopt(
        self,
        entry: TaskEntry,
        profile: Profile,
        policy: PolicyEngine,
        saved: TaskFile,
        folder: Path,
        reopened: str = "",  # handle of the one call of an agent that announces none
    ) -> None:
        adoption = await HolderLink.adopt(str(folder / "holder.sock"), saved.token)
        task = entry.task.id
        self.holders[task] = adoption.holder
        _write_private(folder / "holder.pid", str(adoption.holder.pid).encode())
        owner = SockDiagOwner(adoption.sock_diag, lambda: entry.root)
        os.close(adoption.sock_diag)  # the owner has its own copy, and closes it with the task
        channel = self.make_channel(
            task=task,
            listener=adoption.listeners["proxy"],
            authorize=self.engine,
            owner=owner,
            ca=self.authority,
            model_hosts=frozenset(saved.model_hosts),
            **self.ways.channel(saved.way_out),
        )
        channels: list[Channel] = [
            channel,
            *network.serving(
                task,
                adoption.listeners,
                self.engine,
                self.engine.egress,
                owner,
                channel,
                self.allow_private,
            ),
            *outfit.channels(
                self.engine, entry.task, folder / "agent", adoption.listeners, owner, channel
            ),
        ]
        intake = HookIntake(
            task=task,
            listener=adoption.listeners["hooks"],
            token=saved.hook_token,
            profile=profile,
            authorize=self.engine,
            owner=owner,
            hold=self.hold,
        )
        self.engine.desk.runtimes[task] = TaskRuntime(
            profile=profile,
            policy=policy,
            control=adoption.link,
            owner=owner,
            channels=channels,
            shell_prefix=(
                self._shell_prefix(entry.task, folder / "agent", saved.ports["proxy"])
                if saved.tools_online
                # Nothing it starts could be tied to its call, so nothing is lent to it.
                else lambda handle: ""
            ),
            model_hosts=frozenset(saved.model_hosts),
            watch=watch,
        )
        refusals = Reports(task, self.engine.egress)
        services: list[Channel | HookIntake] = [*channels, refusals, intake]
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def serve(root: Process) -> None:
            await self.lifecycle.started(task, root)
            if reopened and adoption.exit_code is None and not entry.revoked:
                await self.lifecycle.reopen_process_call(task, reopened)
            for service in services:
                await service.serve()

        finishing = asyncio.Lock()

        async def finish(code: int, *, lost: bool = False) -> None:
            async with finishing:
                if not entry.ended:
                    # First, so that whoever waits for the end finds the workspace as it was.
                    await self._tidy(entry, saved)
                await self.lifecycle.ended(task, code, lost=lost)
                if entry.task.overlay:
                    await self.reviews.keep(task)
                for service in services:
                    await service.close()
                await asyncio.to_thread(shutil.rmtree, folder / "agent", ignore_errors=True)
            if not saved.pane:
                # There is no last screen to look at: its holder has nothing left to do.
                with contextlib.suppress(LaunchFailed):
                    await adoption.link.kill()

        async def lost() -> None:
            # A holder that dies takes its tree with it, whatever it was going to report.
            await finish(125, lost=not entry.revoked)
            owner.close()
            if cgroup.limited(entry.task.limits):  # a holder that was killed could not
                await asyncio.to_thread(cgroup.of(self.delegation.path, task).remove)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            self.engine.desk.runtimes.pop(task, None)
            self.holders.pop(task, None)

        async def failed(error: TaskpassError) -> None:
            await self.lifecycle.fail(entry, str(error))
            if not failure.done():
                failure.set_exception(error)

        link = adoption.link
        link.on_refused = refusals.add
        link.on_limit_met = lambda limit, times: self.engine.desk.spawn(
            self.lifecycle.limit_met(task, limit, times)
        )
        link.on_spawned = lambda root: self.engine.desk.spawn(serve(root))
        link.on_exited = lambda code: self.engine.desk.spawn(finish(code))
        link.on_lost = lambda: self.engine.desk.spawn(lost())
        link.on_failed = lambda error: self.engine.desk.spawn(failed(error))
        self.engine.desk.spawn(link.listen())
        if adoption.root is not None:
            # What the agent had running belongs to calls that nobody remembers: it may neither
            # announce a call nor run one. A hook that was waiting is refused, the next one is not.
            for below in procfs.descendants(adoption.root.pid):
                if below.parent == adoption.root.pid:
                    self.engine.book.bar(task, below.process)
            await serve(adoption.root)
        if adoption.exit_code is not None:
            await finish(adoption.exit_code)

    async def _tidy(self, entry: TaskEntry, saved: TaskFile) -> None:
        """Say what did not stay as it had to, and take away what was put there for the task."""
        task = entry.task.id

        def look() -> list[str]:
            changed = differing(saved.marks, saved.folders)
            self.containing.placeholders.release(task)
            return changed

        if changed := await asyncio.to_thread(look):
            await self.engine.incident(task, "guarded_changed", {"paths": changed})

    async def take_over(self, recovered: Recovered) -> None:
        """Adopt the tasks that an earlier supervisor left running, with no authority.

        Those that were revoked are killed. So is one whose launch was interrupted: whoever
        started it has heard of a failure.
        """
        for folder in sorted((self.paths.runtime / "tasks").glob("t-*")):
            try:
                saved = msgspec.json.decode((folder / "task.json").read_bytes(), type=TaskFile)
                profile = self.find_profile(saved.task.argv, saved.task.agent.profile)
                policy = self.policies.for_task(saved.task.preset, saved.tightening)
                entry = self._remember(saved, policy, recovered)
                self.containing.placeholders.adopt(saved.task.id, saved.task.runtime.guarded)
                await standing_in.restore(self.engine.vault, saved.task)
                await self._adopt(entry, profile, policy, saved, folder, saved.process_handle)
            except (OSError, msgspec.MsgspecError, TaskpassError) as error:
                log.info("task %s is gone: %s", folder.name, error)
                shutil.rmtree(folder, ignore_errors=True)
                self.containing.placeholders.release(folder.name)
                with contextlib.suppress(TaskpassError):
                    await self.lifecycle.ended(folder.name, 125)
                continue
            control = self.engine.desk.runtimes[saved.task.id].control
            if entry.revoked:
                self.engine.desk.spawn(_kill(control))
            elif entry.root is None and not entry.ended:
                await self.lifecycle.fail(entry, "the supervisor ended during the launch")
                self.engine.desk.spawn(_kill(control))
            elif not (entry.frozen or entry.ended):
                # A call that stood still while its request was asked about runs on, refused.
                await control.thaw()
        self.containing.placeholders.sweep()
        self.engine.desk.spawn(self.reviews.keep_left())

    def _remember(self, saved: TaskFile, policy: PolicyEngine, recovered: Recovered) -> TaskEntry:
        task = saved.task.id
        entry = self.engine.book.add_task(
            saved.task, epoch=recovered.epochs.get(task, 1), number=saved.number
        )
        entry.pane = saved.pane
        entry.policy = policy.digest
        entry.revoked = task in recovered.epochs
        entry.frozen = task in recovered.frozen
        entry.revoked_grants.update(recovered.revoked_grants.get(task, ()))
        return entry

    def place(self, task: str) -> wire.Attached:
        """Where a screen finds a task's pane.

        Raises:
            LaunchFailed: the task is gone.
        """
        folder = self.paths.task(task)
        try:
            saved = msgspec.json.decode((folder / "task.json").read_bytes(), type=TaskFile)
        except OSError:
            raise LaunchFailed("The task has ended and its terminal is gone.") from None
        return wire.Attached(socket=str(folder / "holder.sock"), token=screen_token(saved.token))


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


async def _kill(control: TaskControl) -> None:
    await control.kill()


def _ports(contained: bool) -> dict[str, int]:
    """Ports of a task's listeners, by name."""
    if contained:
        return network.sockets_of(Tier.A, (), ())
    # Bound together so that they differ; the holder binds them again a moment later and
    # reports a clash, which ends the launch.
    with contextlib.ExitStack() as stack:
        made = {name: stack.enter_context(socket.socket()) for name in ("proxy", "hooks", "git")}
        for sock in made.values():
            sock.bind(("127.0.0.1", 0))
        return {name: sock.getsockname()[1] for name, sock in made.items()}


def _write_private(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
