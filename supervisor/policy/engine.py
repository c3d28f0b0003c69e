"""The policy engine: Cedar, parsed once, with asking on top.

The rule, per effect:

1. Cedar's decision is Deny, NoDecision, or comes with any error: **deny**.
2. Else look at the satisfied permits of the latest layer that has one (a person's own files
   come after the preset). One without `@ask`: **allow**. Only ones with `@ask`: **ask**, with
   the highest `@risk` among them.
3. A project's `@ask` permits are evaluated apart: satisfied, they turn allow into **ask** and
   never anything else.

A call gets the strictest outcome of its effects.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, cast

import cedarpy

from supervisor.errors import PolicyError, UsageError
from supervisor.model import Decision, Effect, Outcome, Risk, Task
from supervisor.policy.facts import RESOURCE_TYPE, call_of, context_of, entities_of
from supervisor.policy.memory import Memory, question, reads_counts
from supervisor.policy.source import Layer, Policy, PolicySource, load
from supervisor.ports import PolicyEngine, Situation

_RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)
_KEPT_TASKS = 64
_NO_RULE_HINT = "Do it in another way, or ask the person to do it."
_ERROR_HINT = "This is refused until the policy is repaired; ask the person."

PRESETS = ("standard",)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policy says about one effect."""

    effect: Effect
    outcome: Outcome
    policies: tuple[Policy, ...]  # those that decided
    risk: Risk = Risk.LOW
    error: str = ""  # why there was no decision


@dataclass(slots=True)
class _Known:
    """One task as Cedar sees it, and what it was told."""

    task: Task
    workspace: str
    entities: cedarpy.Entities
    told: Memory[Verdict] = field(default_factory=Memory)


class CedarEngine(PolicyEngine):
    """Policies in force. Immutable: a change of files makes a new engine."""

    def __init__(self, sources: Iterable[PolicySource], protected: Sequence[str] = ()) -> None:
        """Check and parse everything.

        Args:
            sources: in the order of their layers.
            protected: real paths of our own files; effects on them carry `ours`.

        Raises:
            PolicyError: a policy does not parse, does not fit the schema, may not stand in its
                layer, or takes an id that is already used.
        """
        self._sources = tuple(sources)
        self._protected = tuple(path.rstrip("/") for path in protected)
        self._schema = _schema()
        policies: dict[str, Policy] = {}
        for source in self._sources:
            for policy in load(source, self._schema):
                earlier = policies.setdefault(policy.id, policy)
                if earlier is not policy:
                    raise PolicyError(
                        f'{policy.location}: @id("{policy.id}") is used at {earlier.location}.',
                        hint="Give each policy an id of its own.",
                    )
        self._policies: Mapping[str, Policy] = policies
        extra = {p.id: p for p in policies.values() if p.layer is Layer.PROJECT and p.permits}
        self._base = _policy_set(p for p in policies.values() if p.id not in extra)
        self._extra = _policy_set(extra.values()) if extra else None
        self._digest = _digest(self._sources)
        self._counts = reads_counts(policy.body for policy in policies.values())
        self._tasks: OrderedDict[str, _Known] = OrderedDict()

    @classmethod
    def load(
        cls,
        preset: str = "standard",
        *,
        user_directory: Path | None = None,
        protected: Sequence[str] = (),
    ) -> CedarEngine:
        """The preset with the person's own files: `user_directory`/*.cedar in order of name.

        Raises:
            PolicyError: a file cannot be read or used.
            UsageError: no such preset.
        """
        sources = [preset_source(preset)]
        if user_directory is not None and user_directory.is_dir():
            sources += [
                PolicySource(str(path), read_policy(path), Layer.USER)
                for path in sorted(user_directory.glob("*.cedar"))
            ]
        return cls(sources, protected)

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All policies in force, in order of layer and file."""
        return tuple(self._policies.values())

    def tightened(self, sources: Sequence[PolicySource]) -> CedarEngine:
        """This engine with a project's policies; itself when there are none."""
        if not sources:
            return self
        tighter = [PolicySource(s.name, s.text, Layer.PROJECT) for s in sources]
        return CedarEngine((*self._sources, *tighter), self._protected)

    def decide(self, effects: Sequence[Effect], situation: Situation) -> Decision:
        try:
            return combine(self.judge(effects, situation))
        except Exception as error:
            return Decision(
                Outcome.DENY, f"Policy could not decide ({type(error).__name__}).", (), _ERROR_HINT
            )

    def judge(self, effects: Sequence[Effect], situation: Situation) -> tuple[Verdict, ...]:
        """One verdict per effect, in order. Never raises: errors are denials."""
        try:
            return self._judge(effects, situation)
        except Exception as error:
            # One effect that cannot be asked about must not decide for the others' sake.
            if len(effects) > 1:
                return tuple(self.judge([effect], situation)[0] for effect in effects)
            reason = f"{type(error).__name__}: {error}"
            return tuple(Verdict(effect, Outcome.DENY, (), error=reason) for effect in effects)

    def _judge(self, effects: Sequence[Effect], situation: Situation) -> tuple[Verdict, ...]:
        call = call_of(situation)
        known = self._known(situation)
        questions = [question(effect, call, counts=self._counts) for effect in effects]
        told = {q: known.told.get(q) for q in questions}
        new = {q: e for q, e in zip(questions, effects, strict=True) if told[q] is None}
        for asked, verdict in zip(
            new, self._ask(list(new.values()), situation, known), strict=True
        ):
            told[asked] = verdict
            known.told.put(asked, verdict)
        return tuple(cast(Verdict, told[q]) for q in questions)

    def _ask(
        self, effects: Sequence[Effect], situation: Situation, known: _Known
    ) -> tuple[Verdict, ...]:
        """Let Cedar judge."""
        if not effects:
            return ()
        call = call_of(situation)
        principal = {"type": "Task", "id": situation.task.id}
        requests = [
            {
                "principal": principal,
                "action": {"type": "Action", "id": effect.verb.value},
                "resource": {"type": RESOURCE_TYPE[effect.verb], "id": effect.resource},
                "context": json.dumps(context_of(effect, call, self._protected)),
            }
            for effect in effects
        ]
        entities = known.entities
        base = cedarpy.is_authorized_batch(requests, self._base, entities, self._schema)
        if len(base) != len(effects):
            raise RuntimeError("the engine answered another number of requests")
        extra: Sequence[cedarpy.AuthzResult | None] = (
            cedarpy.is_authorized_batch(requests, self._extra, entities, self._schema)
            if self._extra is not None
            else [None] * len(effects)
        )
        return tuple(
            self._verdict(effect, result, more)
            for effect, result, more in zip(effects, base, extra, strict=True)
        )

    def _verdict(
        self, effect: Effect, result: cedarpy.AuthzResult, extra: cedarpy.AuthzResult | None
    ) -> Verdict:
        errors = list(result.diagnostics.errors)
        if extra is not None:
            errors += extra.diagnostics.errors
        reasons = tuple(self._policies[name] for name in result.diagnostics.reasons)
        if errors or result.decision is cedarpy.Decision.NoDecision:
            return Verdict(effect, Outcome.DENY, (), error="; ".join(errors) or "no decision")
        if result.decision is not cedarpy.Decision.Allow:
            return Verdict(effect, Outcome.DENY, _in_order(reasons))
        latest = max(policy.layer for policy in reasons)
        deciding = [policy for policy in reasons if policy.layer is latest]
        plain = [policy for policy in deciding if policy.ask is None]
        if extra is not None and extra.decision is cedarpy.Decision.Allow:
            added = [self._policies[name] for name in extra.diagnostics.reasons]
            deciding, plain = (added if plain else deciding + added), []
        if plain:
            return Verdict(effect, Outcome.ALLOW, _in_order(plain))
        risk = max((policy.risk for policy in deciding), key=_RISKS.index)
        return Verdict(effect, Outcome.ASK, _in_order(deciding), risk)

    def _known(self, situation: Situation) -> _Known:
        task = situation.task
        kept = self._tasks.get(task.id)
        if kept is not None and kept.task == task and kept.workspace == situation.workspace:
            self._tasks.move_to_end(task.id)
            return kept
        entities = cedarpy.Entities.from_json_str(json.dumps(entities_of(situation)), self._schema)
        known = self._tasks[task.id] = _Known(task, situation.workspace, entities)
        if len(self._tasks) > _KEPT_TASKS:
            self._tasks.popitem(last=False)
        return known


def combine(verdicts: Sequence[Verdict]) -> Decision:
    """The strictest outcome over all verdicts; no effects at all is a denial."""
    if not verdicts:
        return Decision(Outcome.DENY, "Nothing is known about what this would do.", hint="")
    denied = [verdict for verdict in verdicts if verdict.outcome is Outcome.DENY]
    if denied:
        return _denial(denied)
    asking = [verdict for verdict in verdicts if verdict.outcome is Outcome.ASK]
    deciding = asking or list(verdicts)
    policies = tuple(dict.fromkeys(p for verdict in deciding for p in verdict.policies))
    ids = tuple(policy.id for policy in policies)
    if not asking:
        told = dict.fromkeys(p.description for p in policies if p.description)
        return Decision(Outcome.ALLOW, "; ".join(told) or "allowed by policy", ids)
    about = tuple(verdict.effect for verdict in asking)
    prompts = dict.fromkeys(p.ask or p.description or p.id for p in policies)
    risk = max((verdict.risk for verdict in asking), key=_RISKS.index)
    return Decision(Outcome.ASK, "; ".join(prompts), ids, risk=risk, about=about)


def _denial(denied: Sequence[Verdict]) -> Decision:
    """The first denial's own words; one with a rule goes before one without."""
    first = next((verdict for verdict in denied if verdict.policies), denied[0])
    ids = tuple(dict.fromkeys(p.id for verdict in denied for p in verdict.policies))
    label = shown(first.effect)
    about = (first.effect,)
    if first.policies:
        policy = next((p for p in first.policies if p.description or p.hint), first.policies[0])
        reason = policy.description or f"Rule {policy.id} forbids this."
        return Decision(Outcome.DENY, f"{reason} ({label})", ids, policy.hint, about=about)
    if first.error:
        return Decision(Outcome.DENY, f"Policy could not decide about {label}.", ids, _ERROR_HINT)
    return Decision(Outcome.DENY, f"No rule allows {label}.", ids, _NO_RULE_HINT, about=about)


def shown(effect: Effect, limit: int = 200) -> str:
    """The effect in a sentence: printable characters only, at most `limit` of them."""
    label = "".join(c if c.isprintable() else "�" for c in effect.label)
    return label if len(label) <= limit else label[: limit - 1] + "…"


def _in_order(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Cedar returns a set; a decision reads the same each time."""
    return tuple(sorted(policies, key=lambda policy: policy.id))


def _policy_set(policies: Iterable[Policy]) -> cedarpy.PolicySet:
    """Keyed by our ids, so that Cedar's reasons name them."""
    document: dict[str, Any] = {
        "staticPolicies": {policy.id: policy.body for policy in policies},
        "templates": {},
        "templateLinks": [],
    }
    return cedarpy.PolicySet.from_json_str(json.dumps(document))


@cache
def schema_text() -> str:
    """The published schema."""
    return (resources.files("supervisor.policy") / "schema.cedarschema").read_text("utf-8")


@cache
def _schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(schema_text())


def _digest(sources: Iterable[PolicySource]) -> str:
    """Over the schema and each file's layer and text; names do not matter."""
    state = hashlib.sha256()
    for part in (schema_text(), *(f"{int(s.layer)}\n{s.text}" for s in sources)):
        data = part.encode()
        state.update(len(data).to_bytes(8, "big") + data)
    return "sha256:" + state.hexdigest()


def preset_source(name: str) -> PolicySource:
    """A preset of ours.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PRESETS:
        raise UsageError(f"There is no preset {name!r}.", hint=f"Use {', '.join(PRESETS)}.")
    file = resources.files("supervisor.policy") / "presets" / f"{name}.cedar"
    return PolicySource(f"{name}.cedar", file.read_text("utf-8"), Layer.PRESET)


def read_policy(path: Path) -> str:
    """The text of one policy file.

    Raises:
        PolicyError: it cannot be read or is not UTF-8.
    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise PolicyError(f"{path}: cannot be read: {reason}.", hint="Fix or remove it.") from error
