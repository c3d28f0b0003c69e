"""What a start looks up and lays down on the disk, before anything of the task runs.

All of it blocks, so it runs on a thread; on one, since each change of threads is a tenth of a
millisecond that the start waits.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from supervisor.identity import evidence
from supervisor.model import Agent, Runtime
from supervisor.ports import Containment, LaunchPlan, LaunchRequest, Profile
from supervisor.process.plan import Plan
from supervisor.protocol import wire
from supervisor.tasks.containing import Containing, Setting, elsewhere, ways_out, with_holes
from supervisor.ways_out import WaysOut


@dataclass(frozen=True, slots=True)
class Prepared:
    """How a task is started, what it will see, and two of its identity's parts."""

    way_out: dict[str, str]  # of its connections (`WaysOut`)
    plan: LaunchPlan
    held: Plan
    agent: Agent
    runtime: Runtime


@dataclass(frozen=True, slots=True)
class Preparing:
    """Prepares starts."""

    ways: WaysOut
    containing: Containing
    digests: evidence.Digests

    def prepare(
        self,
        request: wire.StartTask,
        profile: Profile,
        launch: LaunchRequest,
        setting: Setting,
        shown: Sequence[str],
    ) -> Prepared:
        """Everything for one start.

        Args:
            shown: files that look as if they held secrets, and hold stand-ins.

        Raises:
            UsageError, LaunchFailed, PolicyError: it cannot be started so.
            AgentNotExecutable: its program cannot be read, and so not be identified.
            OSError: the disk.
        """
        found = ways_out(request.environ)
        way_out = self.ways.of(request.environ)
        plan = profile.prepare(launch)
        if setting.tier.contained:
            held = self.containing.plan(launch.task, setting, request, plan, tuple(shown))
            plan = replace(plan, env={**plan.env, **held.environ})
        else:
            held = Plan(Containment("off", setting.workspace), let_read=tuple(shown))
        runtime = self.containing.runtime(setting, held, launch.task_dir)
        runtime = with_holes(runtime, held.containment, found)
        runtime = replace(runtime, agent_sandbox=plan.agent_sandbox)
        runtime = elsewhere(runtime) if plan.elsewhere else runtime
        executable = launch.argv[0]
        agent = evidence.agent_evidence(
            profile.name,
            plan.argv[0] if os.path.isabs(plan.argv[0]) else executable,
            profile.version(executable),
            profile.call_identity,
            self.digests,
        )
        return Prepared(way_out, plan, held, agent, runtime)
