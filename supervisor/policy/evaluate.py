"""One row in, one evaluation out: policy without a task, for tests, tools and benchmarks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import (
    Agent,
    CallIdentity,
    Decision,
    Effect,
    Evidence,
    Limits,
    Outcome,
    Risk,
    Runtime,
    Task,
    Tier,
    ToolCall,
    ToolKind,
    User,
    Verb,
)
from supervisor.policy.engine import CedarEngine, shown
from supervisor.ports import Profile, Situation


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What policy says about one row."""

    id: Any  # as in the row
    decision: Outcome
    inspectable: bool  # everything that runs can be read beforehand
    known: bool  # every program that runs is known
    lease: bool  # whether a use may open under it; False: contained, without credential
    effects: tuple[str, ...]
    reasons: tuple[str, ...]
    policies: tuple[str, ...] = ()
    risk: Risk = Risk.LOW
    about: tuple[Effect, ...] = ()  # the effects that asked, or the one that was denied

    def row(self) -> dict[str, Any]:
        """As `taskpass policy eval` writes it."""
        return {
            "id": self.id,
            "decision": self.decision.value,
            "inspectable": self.inspectable,
            "known": self.known,
            "lease": self.lease,
            "effects": list(self.effects),
            "reasons": list(self.reasons),
        }


class Evaluator:
    """Evaluates rows under one preset, as for one task."""

    def __init__(
        self,
        preset: str | CedarEngine,
        contained: bool,
        workspace: str,
        home: str = "",
        profiles: Sequence[Profile] = (),
    ) -> None:
        """
        Args:
            preset: name of a preset, or an engine with the policies to use.
            contained: whether the task would run contained.
            workspace: directory the task works in; rows without `cwd` stand there.
            home: the person's home directory; "" for that of this process.
            profiles: who can read rows of agents' tools; without them such rows are denied.

        Raises:
            PolicyError, UsageError: the preset cannot be loaded.
        """
        self._engine = CedarEngine.load(preset) if isinstance(preset, str) else preset
        self.place = Place.of(workspace, home)
        self._profiles = tuple(profile for profile in profiles if _announces(profile))
        runtime = Runtime("laptop", Evidence.OS, Tier.A if contained else Tier.UNCONTAINED)
        task = Task(
            id="t-evaluated",
            session="s-evaluated",
            purpose="",
            cwd=self.place.workspace,
            argv=(),
            user=User(os.getuid(), "person", "here"),
            agent=Agent("any", "", "", "", CallIdentity.CALL),
            runtime=runtime,
            limits=Limits(),
            created=0.0,
        )
        self.situation = Situation(task, CallIdentity.CALL, self.place.workspace)

    @property
    def engine(self) -> CedarEngine:
        return self._engine

    def evaluate(self, row: object) -> Evaluation:
        """Judge `{"id", "command" | "tool" and "input", "cwd"?, "agent"?}`. Never raises.

        A `cwd` or tool input that names `$WS` (or, in tool inputs without a shell, `$HOME`) means
        the workspace (the home directory), so that rows name no machine's paths. A row that
        cannot be read is denied, with the reason.
        """
        id = row.get("id") if isinstance(row, Mapping) else None
        try:
            call = self.call(row)
            effects = effects_of(call, self.place)
            situation = replace(self.situation, tool=call.name)
            decision = self._engine.decide(effects, situation)
        except Exception as error:
            reason = str(error) if isinstance(error, ValueError) else type(error).__name__
            return _unreadable(id, reason)
        return _evaluation(id, effects, decision)

    def call(self, row: object) -> ToolCall:
        """The call that `row` describes.

        Raises:
            ValueError: it describes none, in words.
        """
        if not isinstance(row, Mapping):
            raise ValueError("the row is not an object")
        cwd = self._placed(_text(row, "cwd") or self.place.workspace, in_shell=True)
        cwd = os.path.join(self.place.workspace, cwd)
        if row.get("command") is not None:
            command = self._placed(_text(row, "command"), in_shell=True)
            return ToolCall("", "Bash", ToolKind.SHELL, {"command": command}, cwd, command=command)
        tool, arguments = _text(row, "tool"), row.get("input")
        if not tool or not isinstance(arguments, Mapping):
            raise ValueError("the row has neither a command nor a tool with its input")
        return self._tool_call(tool, arguments, cwd, _text(row, "agent"))

    def _tool_call(self, tool: str, arguments: Mapping[str, Any], cwd: str, agent: str) -> ToolCall:
        event = _event(tool, self._placed(arguments, in_shell="command" in arguments), cwd)
        best: ToolCall | None = None
        problem = "" if self._profiles else "no profile reads the tools of agents"
        for profile in self._profiles:
            if agent and profile.name != agent:
                continue
            try:
                call = profile.parse_hook(event).call
            except ValueError as error:
                problem = str(error)
                continue
            if call is not None and (best is None or best.kind is ToolKind.OTHER):
                best = call
        # A tool that one agent has and another does not know is the first one's.
        if best is None or (problem and best.kind is ToolKind.OTHER):
            raise ValueError(problem or f"no agent is called {agent!r}")
        return best

    def _placed(self, value: Any, *, in_shell: bool) -> Any:
        if isinstance(value, str):
            value = value.replace("$WS", self.place.workspace)
            return value if in_shell else value.replace("$HOME", self.place.home)
        if isinstance(value, Mapping):
            return {key: self._placed(each, in_shell=in_shell) for key, each in value.items()}
        if isinstance(value, list):
            return [self._placed(each, in_shell=in_shell) for each in value]
        return value


def _event(tool: str, arguments: Mapping[str, Any], cwd: str) -> dict[str, Any]:
    """What the agents' hooks have in common."""
    return {
        "hook_event_name": "PreToolUse",
        "session_id": "s",
        "tool_use_id": "c",
        "tool_name": tool,
        "tool_input": arguments,
        "cwd": cwd,
    }


def _announces(profile: Profile) -> bool:
    """Whether this agent announces calls at all."""
    try:
        return profile.parse_hook(_event("any", {}, "/")).call is not None
    except ValueError:
        return False


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a text")
    return value


def _evaluation(id: Any, effects: Sequence[Effect], decision: Decision) -> Evaluation:
    runs = [effect for effect in effects if effect.verb is Verb.RUN]
    unreadable = any(
        effect.verb is Verb.OTHER and effect.attributes.get("kind") == ToolKind.SHELL.value
        for effect in effects
    )
    reasons = [decision.reason, decision.hint]
    reasons += dict.fromkeys(str(run.attributes.get("why", "")) for run in runs)
    return Evaluation(
        id=id,
        decision=decision.outcome,
        inspectable=not unreadable
        and not any(run.attributes.get("uninspectable", True) for run in runs),
        known=all(run.attributes.get("known", False) for run in runs),
        lease=decision.lease and decision.outcome is not Outcome.DENY,
        effects=tuple(shown(effect) for effect in effects),
        reasons=tuple(reason for reason in reasons if reason),
        policies=decision.policies,
        risk=decision.risk,
        about=decision.about,
    )


def _unreadable(id: Any, reason: str) -> Evaluation:
    return replace(
        _evaluation(id, (), Decision(Outcome.DENY, f"This row cannot be judged: {reason}.")),
        inspectable=False,
        known=False,
    )
