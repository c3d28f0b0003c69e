"""Taking a task's holder over, new or left by an earlier supervisor: its listeners are served."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from supervisor import procfs
from supervisor.calls.served import ServedCalls
from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.channels.network.reports import Reports
from supervisor.core import Engine
from supervisor.desk import TaskRuntime
from supervisor.effects.files import Place
from supervisor.grants.book import TaskEntry
from supervisor.identity.attest_linux import SockDiagOwner
from supervisor.intake.hooks_http import HookIntake
from supervisor.intake.reports import Report
from supervisor.model import Process
from supervisor.ports import Channel, PolicyEngine, Profile
from supervisor.process import cgroup
from supervisor.process.placeholders import Placeholders
from supervisor.process.watch import watch
from supervisor.tasks import environment, network, outfit, saved, settings_watch
from supervisor.tasks.following import Followed
from supervisor.tasks.holder_link import Adoption, HolderLink
from supervisor.tasks.lifecycle import Lifecycle
from supervisor.tasks.recording import Recordings
from supervisor.tasks.reviewing import Reviews
from supervisor.tasks.saved import TaskFile
from supervisor.ways_out import WaysOut


@dataclass(slots=True)
class Adopting:
    """Connects holders to what serves their tasks."""

    engine: Engine
    lifecycle: Lifecycle
    authority: CertificateAuthority
    ways: WaysOut
    hold: float  # seconds a hook is held for a person
    make_channel: Callable[..., HttpProxyChannel]
    allow_private: Callable[[], frozenset[str]]  # hosts that may be private addresses
    placeholders: Placeholders
    delegation: cgroup.Delegation
    reviews: Reviews
    recordings: Recordings
    reports: Mapping[str, Report]  # what the MCP gateway tells besides calls
    gateway: Profile  # … and how it speaks
    aside: Path  # for settings that a task wrote and that were put back
    holders: dict[str, Process] = field(default_factory=dict)  # task → its holder

    async def adopt(
        self,
        entry: TaskEntry,
        profile: Profile,
        policy: PolicyEngine,
        task_file: TaskFile,
        folder: Path,
        reopened: str = "",
    ) -> None:
        """Serve a task whose holder waits for us; of a running agent, at once.

        Args:
            reopened: handle of the one call of an agent that announces none, where the agent
                runs already.

        Raises:
            LaunchFailed: its holder does not answer, or is not the one.
        """
        adoption = await HolderLink.adopt(saved.holder_socket(folder), task_file.token)
        task = entry.task.id
        self.holders[task] = adoption.holder
        saved.save_holder(folder, adoption.holder.pid)
        owner = SockDiagOwner(adoption.sock_diag, lambda: entry.root)
        os.close(adoption.sock_diag)  # the owner has its own copy, and closes it with the task
        channels = self._channels(entry, task_file, folder, adoption, owner)
        intake = HookIntake(
            task=task,
            listener=adoption.listeners["hooks"],
            token=task_file.hook_token,
            profile=profile,
            authorize=self.engine,
            owner=owner,
            hold=self.hold,
            reports=self.reports,
        )
        intakes = [intake, *self._gateways(task, task_file, adoption, owner, profile)]
        self.engine.desk.runtimes[task] = TaskRuntime(
            profile=profile,
            policy=policy,
            control=adoption.link,
            owner=owner,
            channels=channels,
            shell_prefix=(
                environment.binding(
                    entry.task,
                    saved.agent_dir(folder),
                    task_file.ports["proxy"],
                    self.allow_private(),
                )
                if task_file.tools_online
                # Nothing it starts could be tied to its call, so nothing is lent to it.
                else lambda handle: ""
            ),
            model_hosts=frozenset(task_file.model_hosts),
            watch=watch,
            place=Place.of(entry.task.workspace),
        )
        refusals = Reports(task, self.engine.egress)
        followed = Followed(
            engine=self.engine,
            lifecycle=self.lifecycle,
            reviews=self.reviews,
            placeholders=self.placeholders,
            delegation=self.delegation,
            entry=entry,
            task_file=task_file,
            folder=folder,
            link=adoption.link,
            owner=owner,
            services=[*channels, refusals, *intakes],
            forget=lambda: self.holders.pop(task, None),
            reopened=reopened if adoption.exit_code is None else "",
        )
        adoption.link.on_refused = refusals.add
        followed.listen()
        if entry.task.record and adoption.exit_code is None:
            self.engine.desk.spawn(self.recordings.follow(entry, saved.place(folder)))
        settings = settings_watch.watch(self.engine, entry, self.aside)
        if settings is not None and adoption.exit_code is None:
            self.engine.desk.spawn(settings.run())
        if adoption.root is not None:
            # What the agent had running belongs to calls that nobody remembers: it may neither
            # announce a call nor run one. A hook that was waiting is refused, the next one is not.
            for below in procfs.descendants(adoption.root.pid):
                if below.parent == adoption.root.pid:
                    self.engine.book.bar(task, below.process)
            await followed.serve(adoption.root)
        if adoption.exit_code is not None:
            await followed.finish(adoption.exit_code)

    def _gateways(
        self,
        task: str,
        task_file: TaskFile,
        adoption: Adoption,
        owner: SockDiagOwner,
        profile: Profile,
    ) -> list[HookIntake]:
        """Where the gateways before the agent's MCP servers announce, if it has any."""
        if "mcp" not in adoption.listeners:
            return []
        # Each is a child of the agent's root, or of what that starts its servers by, and what it
        # starts is a server: not our speaker.
        return [
            HookIntake(
                task=task,
                listener=adoption.listeners["mcp"],
                token=task_file.hook_token,
                profile=self.gateway,
                authorize=ServedCalls(self.engine),
                owner=owner,
                hold=self.hold,
                chain=2 + profile.servers_below,
                reports=self.reports,
            )
        ]

    def _channels(
        self,
        entry: TaskEntry,
        task_file: TaskFile,
        folder: Path,
        adoption: Adoption,
        owner: SockDiagOwner,
    ) -> list[Channel]:
        """All that the task's sockets are for, but the hooks'; not serving yet."""
        task = entry.task.id
        proxy = self.make_channel(
            task=task,
            listener=adoption.listeners["proxy"],
            authorize=self.engine,
            owner=owner,
            ca=self.authority,
            model_hosts=frozenset(task_file.model_hosts),
            **self.ways.channel(task_file.way_out),
        )
        served = network.serving(
            task,
            adoption.listeners,
            self.engine,
            self.engine.egress,
            owner,
            proxy,
            self.allow_private,
        )
        fitted = outfit.channels(
            self.engine, entry.task, saved.agent_dir(folder), adoption.listeners, owner, proxy
        )
        return [proxy, *served, *fitted]
