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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import cedarpy

from supervisor.errors import PolicyError
from supervisor.model import Decision, Effect, Outcome, Risk, Task, Verb
from supervisor.policy.facts import RESOURCE_TYPE, call_of, context_of, entities_of
from supervisor.policy.files import policy_schema, preset_sources, schema_text, user_sources
from supervisor.policy.memory import Memory, reads, verbs_of
from supervisor.policy.source import Layer, Policy, PolicySource, load
from supervisor.ports import PolicyEngine, Situation

_RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)
_KEPT_TASKS = 64
_NO_RULE_HINT = "Do it in another way, or ask the person to do it."
_ERROR_HINT = "This is refused until the policy is repaired; ask the person."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policy says about one effect."""

    effect: Effect
    outcome: Outcome
    policies: tuple[Policy, ...]  # those that decided
    risk: Risk = Risk.LOW
    error: str = ""  # why there was no decision
    alone: Decision | None = None  # the decision, should this be the only one: of an allowance

    def about(self, effect: Effect) -> Verdict:
        """The same about another effect."""
        return Verdict(effect, self.outcome, self.policies, self.risk, self.error, self.alone)


@dataclass(slots=True)
class _Known:
    """One task as Cedar sees it, and what it was told."""

    task: Task
    workspace: str
    entities: cedarpy.Entities
    told: Memory[Verdict] = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class _Sets:
    """The policies for one verb, as Cedar takes them."""

    base: cedarpy.PolicySet
    extra: cedarpy.PolicySet | None  # what a project wants asked


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
        self._schema = policy_schema()
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
        self._sets: dict[Verb, _Sets] = {}
        self._reads = reads(policy.body for policy in policies.values())
        self._digest = _digest(self._sources)
        self._tasks: OrderedDict[str, _Known] = OrderedDict()

    @classmethod
    def load(
        cls,
        preset: str = "standard",
        *,
        user_directory: Path | None = None,
        user_rules: Path | None = None,
        protected: Sequence[str] = (),
    ) -> CedarEngine:
        """The preset with the person's own files: `user_directory`/*.cedar in order of name.

        Args:
            user_rules: the file of answers that are kept for good, if there is one.

        Raises:
            PolicyError: a file cannot be read or used, or an example in it fails.
            UsageError: no such preset.
        """
        return cls.of(preset, user_sources(user_directory, user_rules), protected)

    @classmethod
    def of(
        cls, preset: str, own: Iterable[PolicySource], protected: Sequence[str] = ()
    ) -> CedarEngine:
        """The preset with the person's `own` files, as read by `user_sources`.

        Raises:
            PolicyError: a file cannot be used, or an example in it fails.
            UsageError: no such preset.
        """
        engine = cls([*preset_sources(preset), *own], protected)
        engine._try_examples(Layer.USER)
        return engine

    def tightened_by(self, files: Sequence[PolicySource]) -> CedarEngine:
        """This engine with what the person's changed `files` tighten; itself for nothing.

        Raises:
            PolicyError: they cannot be used.
        """
        from supervisor.policy.outside import tighter

        sources = tighter(self._sources, files)
        return self if sources == self._sources else CedarEngine(sources, self._protected)

    @property
    def digest(self) -> str:
        return self._digest

    @property
    def sources(self) -> tuple[PolicySource, ...]:
        """The files in force, in order of layer."""
        return self._sources

    @property
    def policies(self) -> tuple[Policy, ...]:
        """All policies in force, in order of layer and file."""
        return tuple(self._policies.values())

    def tightened(self, sources: Sequence[PolicySource]) -> CedarEngine:
        """This engine with a project's policies; itself when there are none.

        What the person accepted of the project's needs stays theirs (Layer.ACCEPTED).
        """
        if not sources:
            return self
        tighter = [
            s if s.layer is Layer.ACCEPTED else PolicySource(s.name, s.text, Layer.PROJECT)
            for s in sources
        ]
        engine = CedarEngine((*self._sources, *tighter), self._protected)
        engine._try_examples(Layer.PROJECT)
        return engine

    def _try_examples(self, layer: Layer) -> None:
        """Raises PolicyError for the first example of a layer that fails."""
        noted = [
            policy
            for policy in self.policies
            if policy.layer is layer
            and any("match" in name for name in policy.body.get("annotations", {}))
        ]
        if noted:
            # Examples are commands: whoever writes none does not wait for what reads commands.
            from supervisor.policy.examples import check

            check(noted)

    def decide(self, effects: Sequence[Effect], situation: Situation) -> Decision:
        try:
            decision = combine(self.judge(effects, situation))
            if _lease(decision, effects, situation):
                return decision
            return replace(decision, lease=False)
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
        runtime = situation.task.runtime
        contexts = [context_of(effect, call, self._protected, runtime) for effect in effects]
        questions = [
            self._reads[effect.verb].question(effect, context)
            for effect, context in zip(effects, contexts, strict=True)
        ]
        told = {q: known.told.get(q) for q in questions}
        new = {
            q: (effect, context)
            for q, effect, context in zip(questions, effects, contexts, strict=True)
            if told[q] is None
        }
        for asked, (effect, context) in new.items():
            told[asked] = verdict = self._ask(effect, context, situation, known)
            known.told.put(asked, verdict)
        # The same question may have been put about another effect.
        return tuple(
            [
                cast(Verdict, told[question]).about(effect)
                for question, effect in zip(questions, effects, strict=True)
            ]
        )

    def _ask(
        self, effect: Effect, context: Mapping[str, Any], situation: Situation, known: _Known
    ) -> Verdict:
        """Let Cedar judge."""
        request = {
            "principal": {"type": "Task", "id": situation.task.id},
            "action": {"type": "Action", "id": effect.verb.value},
            "resource": {"type": RESOURCE_TYPE[effect.verb], "id": effect.resource},
            "context": json.dumps(context),
        }
        sets = self._sets_for(effect.verb)
        results = [
            cedarpy.is_authorized(request, policies, known.entities, self._schema)
            for policies in (sets.base, sets.extra)
            if policies is not None
        ]
        return self._verdict(effect, results[0], results[1] if len(results) > 1 else None)

    def _sets_for(self, verb: Verb) -> _Sets:
        """Only policies that may apply to `verb`: Cedar looks at every policy it is given."""
        if verb not in self._sets:
            meant = [p for p in self._policies.values() if verb in verbs_of(p.body)]
            extra = [p for p in meant if p.layer is Layer.PROJECT and p.permits]
            base = [p for p in meant if not (p.layer is Layer.PROJECT and p.permits)]
            self._sets[verb] = _Sets(_policy_set(base), _policy_set(extra) if extra else None)
        return self._sets[verb]

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
            found = Verdict(effect, Outcome.ALLOW, _in_order(plain))
            return replace(found, alone=combine([found]))
        risk = max((policy.risk for policy in deciding), key=_RISKS.index)
        return Verdict(effect, Outcome.ASK, _in_order(deciding), risk)

    def _known(self, situation: Situation) -> _Known:
        task = situation.task
        kept = self._tasks.get(task.id)
        same = kept is not None and (kept.task is task or kept.task == task)
        if kept is not None and same and kept.workspace == situation.workspace:
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
    if len(verdicts) == 1 and verdicts[0].alone is not None:
        return verdicts[0].alone
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


def _lease(decision: Decision, effects: Sequence[Effect], situation: Situation) -> bool:
    """Whether a use may open under an allowed call without a question of its own.

    What cannot be read beforehand runs contained, without network or credential.
    """
    if decision.outcome is not Outcome.ALLOW or not situation.task.runtime.tier.contained:
        return True
    return not any(
        effect.verb is Verb.RUN
        and (
            effect.attributes.get("uninspectable", True)
            or not effect.attributes.get("known", False)
        )
        for effect in effects
    )


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


def _digest(sources: Iterable[PolicySource]) -> str:
    """Over the schema and each file's layer and text; names do not matter."""
    state = hashlib.sha256()
    for part in (schema_text(), *(f"{int(s.layer)}\n{s.text}" for s in sources)):
        data = part.encode()
        state.update(len(data).to_bytes(8, "big") + data)
    return "sha256:" + state.hexdigest()
