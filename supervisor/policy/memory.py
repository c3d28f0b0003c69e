"""What one task was told before: the same question gets the same answer without asking Cedar.

Policies are immutable and Cedar has no clock, so an answer depends on the question alone. Of the
question, the counts of calls change all the time; they are left out where no policy reads them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from supervisor.model import Effect

_KEPT = 512  # answers of one task
_COUNTS = frozenset({"open", "total"})
_V = TypeVar("_V")


def reads_counts(bodies: Iterable[Any]) -> bool:
    """Whether a policy, in Cedar's JSON form, may look at `context.call.open` or `.total`.

    Whoever takes the whole of `context` or `context.call` may.
    """
    return any(_reads(body) for body in bodies)


def _reads(node: Any) -> bool:
    if isinstance(node, list):
        return any(map(_reads, node))
    if not isinstance(node, dict):
        return False
    for form in (".", "has"):
        if form in node:
            left, name = node[form]["left"], node[form].get("attr", "")
            if left == {"Var": "context"}:
                return bool(form == "." and name == "call")  # the record itself is handed on
            if left == _CALL:
                return name in _COUNTS
    if node == {"Var": "context"}:
        return True
    return any(map(_reads, node.values()))


_CALL = {".": {"left": {"Var": "context"}, "attr": "call"}}


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


def question(effect: Effect, call: Mapping[str, Any], *, counts: bool) -> Hashable:
    """What Cedar would be asked about `effect`, as a key. `call`: the context's record."""
    told = tuple((name, type(value), value) for name, value in effect.attributes.items())
    about = tuple(value for name, value in call.items() if counts or name not in _COUNTS)
    return effect.verb, effect.resource, told, about
