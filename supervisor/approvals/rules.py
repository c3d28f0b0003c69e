"""The rules of answering, as pure state: no clock, no loop, no I/O.

- One question per (task, epoch, call hash): an identical one that is open is the same question.
- A question is answered at most once, by a person, in time. High risk needs its code; the third
  wrong code denies.
- An approval `once` is handed over once: to those who wait, or, as a ticket, to one identical
  retry.
- An approval for the task covers its class until it expires: the same effects, asked by the same
  policies, with the same credential. Where something leaves the machine or the risk is high,
  "the same" means every attribute of the effect.
- Raising the epoch ends all of it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from supervisor.errors import Denied, NotFound, UsageError
from supervisor.model import Answer, Approval, ApprovalRequest, Effect, Risk, Scope, Verb

MAX_WRONG_CODES = 3
MAX_MINUTES = 8 * 60
MAX_OPEN = 32  # questions of one task at a time
TICKET_SECONDS = 600.0  # how long an approved ticket waits for its retry

Key = tuple[str, int, str]  # task, epoch, call hash
EffectClass = tuple[str, ...]

# Besides its resource, what makes an effect of one class another one.
_TOLD_APART: Mapping[Verb, tuple[str, ...]] = {
    Verb.RUN: ("subcommand", "act"),
    Verb.HTTP: ("method", "graphql", "fields", "websocket"),
    Verb.PUSH: ("url",),
    Verb.SQL: ("statement", "remote"),
    Verb.INSTALL: ("package", "everywhere"),
    Verb.OPERATE: ("degree", "target"),
    Verb.WRITE: ("content",),
    Verb.DELETE: ("clear",),
}
# Opening a pull request, naming it, and running its checks again is one thing.
_PULL_REQUEST = frozenset(
    {"pr create", "pr edit", "pr ready", "run rerun", "mr create", "mr update"}
)
# Nothing is learned of what these do from their names: the whole call is the class.
_ACTS_APART = frozenset({"containers", "discard", "system", "device"})


@dataclass(slots=True)
class Question:
    """One open question."""

    request: ApprovalRequest
    effects: tuple[Effect, ...]
    wrong_codes: int = 0
    top: str = ""  # the task that owns the agent which asks
    waiting: int = 1  # askers that are held
    ticket: bool = False  # nobody waits any more; an identical retry will


@dataclass(frozen=True, slots=True)
class _Standing:
    """An approval for the rest of the task."""

    epoch: int
    classes: frozenset[EffectClass]
    policies: frozenset[str]
    credential: str
    approval: Approval


@dataclass(slots=True)
class Rules:
    """All open questions, tickets and standing approvals of one supervisor."""

    open: dict[str, Question] = field(default_factory=dict)  # by id, oldest first
    _tickets: dict[Key, Approval] = field(default_factory=dict)
    _standing: dict[str, list[_Standing]] = field(default_factory=dict)  # by task
    _ended: dict[str, int] = field(default_factory=dict)  # task → last epoch that is over
    _latest: dict[str, int] = field(default_factory=dict)  # task → highest epoch that asked

    def put(
        self,
        request: ApprovalRequest,
        effects: tuple[Effect, ...],
        above: Sequence[tuple[str, int]] = (),
    ) -> None:
        """Open a question; `find`, `refused` and `covered` have been asked before."""
        self.open[request.id] = Question(request, effects, top=_top(request, above))
        self._latest[request.task] = max(request.epoch, self.latest_epoch(request.task))

    def latest_epoch(self, task: str) -> int:
        """The highest epoch in which the task has asked."""
        return self._latest.get(task, -1)

    def find(self, key: Key) -> Question | None:
        """The open question for exactly this."""
        for question in self.open.values():
            if key_of(question.request) == key:
                return question
        return None

    def refused(
        self, request: ApprovalRequest, now: float, above: Sequence[tuple[str, int]] = ()
    ) -> Approval | None:
        """An answer that needs no person: the epoch is over, or the task asks too much."""
        if request.epoch <= self._ended.get(request.task, -1):
            return absent(request, Answer.REVOKED, now)
        if sum(q.top == _top(request, above) for q in self.open.values()) >= MAX_OPEN:
            return replace(
                absent(request, Answer.DENIED, now),
                note=f"This task already has {MAX_OPEN} open questions.",
            )
        if request.expires <= now:
            return absent(request, Answer.EXPIRED, now)
        return None

    def covered(
        self,
        request: ApprovalRequest,
        effects: Sequence[Effect],
        now: float,
        above: Sequence[tuple[str, int]] = (),
    ) -> Approval | None:
        """A standing approval of the task, or of one above it, that covers the request, or None.

        Several may cover it together, each some of its effects; the first to expire is told.
        """
        wanted = classes_of(effects, request.risk)
        asking = frozenset(request.asking)
        helping = [
            standing
            for task, epoch in ((request.task, request.epoch), *above)
            for standing in self._standing.get(task, ())
            if standing.epoch == epoch
            and now < standing.approval.expires
            and standing.credential == request.credential
            and standing.classes & wanted
        ]
        classes = frozenset().union(*(standing.classes for standing in helping))
        policies = frozenset().union(*(standing.policies for standing in helping))
        if not wanted or not wanted <= classes or not asking <= policies:
            return None
        return min((standing.approval for standing in helping), key=lambda each: each.expires)

    def redeem(self, key: Key, now: float) -> Approval | None:
        """The approved ticket for exactly this, once."""
        task, epoch, _ = key
        approval = self._tickets.pop(key, None)
        if approval is None or epoch <= self._ended.get(task, -1):
            return None
        return approval if now < approval.at + TICKET_SECONDS else None

    def check(
        self, id: str, answer: Answer, scope: Scope, minutes: float, code: str, now: float
    ) -> Question:
        """Whether this may be answered so. Counts wrong codes.

        Raises:
            NotFound: no such open question.
            UsageError: the time is out of bounds, or the answer is not a person's to give.
            Denied: a wrong code; after the third the question must be closed as denied.
        """
        question = self.open.get(id)
        if question is None or question.request.expires <= now:
            raise not_open()
        if answer is Answer.DENIED:
            return question
        if answer is not Answer.APPROVED:
            raise UsageError("A person approves or denies.")
        if scope is Scope.TASK and not 0 < minutes <= MAX_MINUTES:
            raise UsageError(f"An approval for the task lasts 1 to {MAX_MINUTES} minutes.")
        wanted = question.request.code
        given = code.strip().upper().encode()
        if wanted and not hmac.compare_digest(given, wanted.upper().encode()):
            question.wrong_codes += 1
            left = MAX_WRONG_CODES - question.wrong_codes
            if left > 0:
                raise Denied(
                    "The code is not the one shown.", hint=f"Type it again; {left} more before no."
                )
            raise Denied("The code was wrong three times, so the answer is no.")
        return question

    def close(self, id: str, approval: Approval) -> None:
        """The question has its answer; an approval takes effect."""
        question = self.open.pop(id)
        if approval.answer is not Answer.APPROVED:
            return
        request = question.request
        if approval.scope is Scope.TASK:
            self._standing.setdefault(request.task, []).append(
                _Standing(
                    request.epoch,
                    classes_of(question.effects, request.risk),
                    frozenset(request.asking),
                    request.credential,
                    approval,
                )
            )
        if question.ticket:
            self._tickets[key_of(request)] = approval

    def end(self, task: str, epoch: int) -> list[Question]:
        """Take away all the task has up to `epoch`; the questions that were open."""
        self._ended[task] = max(epoch, self._ended.get(task, -1))
        ended = self._ended[task]
        gone = [
            q for q in self.open.values() if q.request.task == task and q.request.epoch <= ended
        ]
        for question in gone:
            del self.open[question.request.id]
        for key in [k for k in self._tickets if k[0] == task and k[1] <= ended]:
            del self._tickets[key]
        kept = [s for s in self._standing.get(task, ()) if s.epoch > ended]
        self._standing[task] = kept
        if not kept:
            del self._standing[task]
        return gone

    def prune(self, now: float) -> None:
        """Forget what has run out."""
        for key, approval in list(self._tickets.items()):
            if now >= approval.at + TICKET_SECONDS:
                del self._tickets[key]
        for task, standing in list(self._standing.items()):
            kept = [s for s in standing if now < s.approval.expires]
            if kept:
                self._standing[task] = kept
            else:
                del self._standing[task]


def not_open() -> NotFound:
    return NotFound("This question is not open any more.", hint="See `taskpass history`.")


def _top(request: ApprovalRequest, above: Sequence[tuple[str, int]]) -> str:
    return above[-1][0] if above else request.task


def key_of(request: ApprovalRequest) -> Key:
    return (request.task, request.epoch, request.call_hash)


def classes_of(effects: Sequence[Effect], risk: Risk) -> frozenset[EffectClass]:
    """What an approval for the task covers: nothing, where a command could not even be read."""
    if any(e.verb is Verb.OTHER and e.attributes.get("kind") == "shell" for e in effects):
        return frozenset()
    return frozenset(_class(effect, exact=risk is Risk.HIGH) for effect in effects)


def _class(effect: Effect, *, exact: bool) -> EffectClass:
    """(verb, resource, what tells it apart): never the program alone.

    Code of the project is one class however it is started; so are pushes to one remote that are
    neither forced nor to a protected branch. What cannot be read beforehand is the same only
    where its text is.
    """
    attributes = effect.attributes
    resource = effect.resource
    if effect.verb is Verb.RUN:
        act = str(attributes.get("act", ""))
        exact = exact or act in _ACTS_APART
        if act in {"project", "update"} and not exact:
            return (effect.verb.value, act)
        exact = exact or attributes.get("uninspectable") is True
    elif effect.verb is Verb.PUSH and not exact:
        resource = str(attributes.get("remote", resource))
    elif effect.verb is Verb.OPERATE and attributes.get("operation") in _PULL_REQUEST and not exact:
        return (effect.verb.value, str(attributes.get("system")), "pull request")
    kept = sorted(attributes) if exact else _TOLD_APART.get(effect.verb, ())
    return (
        effect.verb.value,
        resource,
        *(f"{name}={attributes[name]!r}" for name in kept if name in attributes),
    )


def absent(request: ApprovalRequest, answer: Answer, now: float) -> Approval:
    """An answer that no person gave."""
    return Approval(request.id, answer, Scope.ONCE, "", now)
