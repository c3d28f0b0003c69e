"""What screens are told of the engine's state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from supervisor.grants.book import TaskEntry
from supervisor.model import Agent, CredentialSpec, Usage
from supervisor.ports import Issuer
from supervisor.protocol import wire
from supervisor.tasks import limits


def task_viewer(exposed: Callable[[], tuple[str, ...]]) -> Callable[[TaskEntry], wire.TaskView]:
    """`exposed` tells what an uncontained agent can read; asked for when it is needed."""

    def view(entry: TaskEntry) -> wire.TaskView:
        task = entry.task
        contained = task.runtime.tier.contained
        usage = Usage() if entry.over else entry.usage
        return wire.TaskView(
            id=task.id,
            number=0 if entry.above else entry.number,
            purpose=task.purpose,
            state=entry.state,
            user=task.user.label,
            person=task.user.verified.name if task.user.verified else "",
            person_issuer=task.user.verified.issuer if task.user.verified else "",
            person_until=task.user.verified.until if task.user.verified else 0.0,
            agent=_agent(task.agent),
            profile=task.agent.profile,
            runtime=task.runtime.kind,
            tier=task.runtime.tier,
            tier_detail=task.runtime.detail,
            containment=task.runtime.containment,
            exposed=() if contained or task.runtime.kind == "sandbox" else exposed(),
            holes=task.runtime.holes,
            limits=limits.in_words(task.limits),
            agent_sandbox=task.runtime.agent_sandbox,
            call_identity=task.agent.call_identity,
            preset=task.preset,
            cwd=task.cwd,
            repository=task.repository,
            branch=task.branch,
            parent=task.parent,
            epoch=entry.epoch,
            created=task.created,
            ended=entry.ended,
            exit_code=entry.exit_code,
            failure=entry.failure,
            tree_left=entry.tree_left,
            path=entry.place if entry.above else "",
            subagent=task.subagent,
            pane=entry.pane,
            allowed=entry.allowed,
            asked=entry.asked,
            denied=entry.denied,
            overlay=task.overlay,
            recorded=task.record,
            to_review=entry.to_review,
            cpu_pct=usage.cpu_pct,
            rss_bytes=usage.rss_bytes,
            processes=usage.processes,
        )

    return view


def _agent(agent: Agent) -> str:
    """`claude-code 2.1.330`; a program without a profile of its own by its name."""
    if agent.profile == "generic":
        return f"{Path(agent.executable).name} (generic)"
    return agent.label


def credential_view(spec: CredentialSpec, issuer: Issuer) -> wire.CredentialView:
    return wire.CredentialView(
        name=spec.name,
        issuer=spec.issuer,
        hosts=spec.hosts,
        env=spec.env,
        header=spec.header,
        scheme=spec.scheme,
        kill_mode=issuer.kill_mode,
        kill_bound=issuer.kill_bound(spec),
        created=spec.created,
        protection=spec.protection,
        options=dict(spec.options),
    )
