"""What one task was told before: the same question gets the same answer without asking Cedar.

Policies are immutable and Cedar has no clock, so an answer depends on what the policies in force
read, and on nothing else. `Reads` finds that out from their text; a question is then known by
those values alone, so that most commands are the same few questions.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from supervisor.model import Effect, Verb

_KEPT = 512  # answers of one task
_V = TypeVar("_V")
Path = tuple[str, ...]  # names that lead to a value of the context: ("call", "total")

# Actions that policies may name besides the verbs themselves.
_GROUPS = {"file": (Verb.READ, Verb.WRITE, Verb.DELETE), "network": (Verb.HTTP, Verb.CONNECT)}


@dataclass(frozen=True, slots=True)
class Reads:
    """What the policies for one verb may look at, besides the task."""

    paths: tuple[Path, ...]  # in order; () inside stands for the whole context
    resource: bool

    def question(self, effect: Effect, context: dict[str, Any]) -> Hashable:
        """What Cedar would be asked about `effect`, as a key among those of one task."""
        values = tuple([_at(context, path) for path in self.paths])
        return effect.verb, effect.resource if self.resource else "", values


def reads(bodies: Iterable[Mapping[str, Any]]) -> dict[Verb, Reads]:
    """What policies, in Cedar's JSON form, may look at, by verb.

    Whoever takes a whole record may look at all of it; a form that is not known here reads
    everything of every verb.
    """
    paths: dict[Verb, set[Path]] = {verb: set() for verb in Verb}
    resources: set[Verb] = set()
    for body in bodies:
        found: set[Path] = set()
        resource = _walk(body["conditions"], found)
        resource = resource or not _any_resource(body["resource"])
        for verb in verbs_of(body):
            paths[verb] |= found
            if resource:
                resources.add(verb)
    return {verb: Reads(tuple(sorted(paths[verb])), verb in resources) for verb in Verb}


def verbs_of(body: Mapping[str, Any]) -> tuple[Verb, ...]:
    """The verbs a policy, in Cedar's JSON form, may apply to."""
    scope = body["action"]
    named = [scope["entity"]] if "entity" in scope else scope.get("entities")
    if scope["op"] not in {"==", "in"} or named is None:
        return tuple(Verb)
    names = [entity.get("id", "") for entity in named]
    if any(name not in _GROUPS and name not in set(Verb) for name in names):
        return tuple(Verb)
    return tuple(verb for name in names for verb in _GROUPS.get(name) or (Verb(name),))


def _any_resource(scope: Mapping[str, Any]) -> bool:
    """A type alone tells nothing: it follows from the verb."""
    return scope["op"] == "All" or (scope["op"] == "is" and "in" not in scope)


def _walk(node: Any, found: set[Path]) -> bool:
    """Collect the paths that `node` reads; whether it reads the resource."""
    if isinstance(node, list):
        return any([_walk(each, found) for each in node])
    if not isinstance(node, dict):
        return False
    path = _path(node)
    if path is not None:
        found.add(path)
        return False
    if node == {"Var": "resource"}:
        return True
    return any([_walk(each, found) for each in node.values()])


def _path(node: Mapping[str, Any]) -> Path | None:
    """The names in `context.a.b` or `context.a has b`; None for another expression."""
    if node == {"Var": "context"}:
        return ()
    for form in (".", "has"):
        if form in node and isinstance(node[form], dict) and "left" in node[form]:
            left = _path(node[form]["left"])
            # Extended `has` (context has a.b) has a list of names: all of it is taken as read.
            name = node[form].get("attr")
            return left if left is None or not isinstance(name, str) else (*left, name)
    return None


def _at(context: dict[str, Any], path: Path) -> Hashable:
    value: Any = context
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return json.dumps(value, sort_keys=True) if isinstance(value, dict) else value


class Memory(Generic[_V]):
    """Answers by question, the least used forgotten first."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, _V] = OrderedDict()

    def get(self, question: Hashable) -> _V | None:
        answer = self._answers.get(question)
        if answer is not None:
            self._answers.move_to_end(question)
        return answer

    def put(self, question: Hashable, answer: _V) -> None:
        self._answers[question] = answer
        if len(self._answers) > _KEPT:
            self._answers.popitem(last=False)
