"""What other rules would have decided over the calls and uses that are on record.

A record keeps what was asked as text. It is read again, as it would be read today, and judged
twice: under the policies in force, and with the new ones. What cannot be read again (a text that
was shortened or masked) is counted, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from supervisor.effects import effects_of
from supervisor.effects.files import Place, file_effects
from supervisor.effects.http import http_effect
from supervisor.effects.mcp import mcp_effects
from supervisor.model import (
    AS_WEBSOCKET,
    Decision,
    Effect,
    Outcome,
    Tier,
    ToolCall,
    ToolKind,
    Verb,
)
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator
from supervisor.ports import Situation
from supervisor.vault.redact import MASK

_CALLS = ("call.opened", "call.denied", "approval.asked")
KINDS = ("task.started", *_CALLS, "use.allowed", "use.denied", "use.intent")

_PREVIEW = 2000  # characters of a command that a record keeps
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True)
class Past:
    """One call or use of the past, ready to be judged again."""

    seq: int
    at: float
    task: str
    title: str
    contained: bool
    workspace: str
    credential: str
    tool: str
    effects: tuple[Effect, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that would have been another."""

    past: Past
    before: Outcome
    after: Outcome
    policies: tuple[str, ...]  # that would have decided


@dataclass(frozen=True, slots=True)
class Report:
    """What a back-test saw."""

    judged: int
    unreadable: int
    changes: tuple[Change, ...]


def backtest(
    records: Iterable[Mapping[str, Any]],
    before: CedarEngine,
    after: CedarEngine,
    home: str = "",
) -> Report:
    """Judge what `records` tell of, as the ledger gives them (oldest first), under both."""
    judged = unreadable = 0
    changes: list[Change] = []
    for past in _past(records, home):
        if past is None:
            unreadable += 1
            continue
        judged += 1
        old, new = (decide(engine, past) for engine in (before, after))
        if old.outcome is not new.outcome:
            changes.append(Change(past, old.outcome, new.outcome, new.policies))
    return Report(judged, unreadable, tuple(changes))


def situation_of(engine: CedarEngine, past: Past) -> Situation:
    """The situation that a call or use of the past is judged in again."""
    situation = Evaluator(engine, past.contained, past.workspace).situation
    return replace(situation, credential=past.credential, tool=past.tool)


def decide(engine: CedarEngine, past: Past) -> Decision:
    """What an engine says to a call or use of the past."""
    return engine.decide(past.effects, situation_of(engine, past))


def _past(records: Iterable[Mapping[str, Any]], home: str) -> Iterator[Past | None]:
    """One for each call and use; None for what cannot be read again."""
    workspaces: dict[str, str] = {}
    records = list(records)
    opened = {record.get("call") for record in records if record.get("kind") == "call.opened"}
    for record in records:
        kind, task = str(record.get("kind", "")), str(record.get("task", ""))
        if kind == "task.started":
            workspaces[task] = str(record.get("repository") or record.get("cwd") or "")
        elif kind == "approval.asked" and record.get("call") in opened:
            continue  # it was allowed, and is on record as a call of its own
        elif kind in KINDS:
            yield read_again(record, workspaces.get(task, ""), home)


def read_again(record: Mapping[str, Any], workspace: str, home: str = "") -> Past | None:
    """What a record of a call or use tells, read as it would be today; None where it cannot be."""
    if not workspace or record.get("code"):
        return None  # a call that never came before policy
    is_call = record["kind"] in _CALLS
    title = str(record.get("preview") or record.get("title") or record.get("effect") or "")
    told = record.get("effects", ()) if is_call else (title, *record.get("further", ()))
    labels = [str(each) for each in told]
    tool = str(record.get("tool", "")).lower()
    place = Place.of(workspace, home)
    effects: tuple[Effect, ...]
    if any(label.startswith("run ") for label in labels):
        if len(title) >= _PREVIEW or MASK in title:
            return None
        tool = "bash"
        cwd = str(record.get("cwd") or workspace)
        call = ToolCall("", "Bash", ToolKind.SHELL, {}, cwd, command=title)
        effects = effects_of(call, place)
    else:
        read = [_effects(label, place) for label in labels]
        if not read or not all(read):
            return None
        effects = tuple(effect for each in read for effect in each)
    return Past(
        seq=int(record.get("seq", 0)),
        at=float(record.get("time", 0.0)),
        task=str(record.get("task", "")),
        title=title,
        contained=record.get("tier") in (Tier.A, Tier.B),
        workspace=workspace,
        credential=str(record.get("credential", "")),
        tool=tool,
        effects=effects,
    )


def _effects(label: str, place: Place) -> tuple[Effect, ...]:
    """The effects that a label stands for; none for one that does not tell enough."""
    word, _, rest = label.partition(" ")
    if word in _METHODS:
        address, _, graphql = rest.partition(" ")
        effect = http_effect(f"https://{address}", word)
        if rest.endswith(AS_WEBSOCKET):
            effect = replace(effect, attributes={**effect.attributes, "websocket": True})
        elif graphql:
            kind, _, fields = graphql.partition(" ")
            told = {"graphql": kind, "fields": f" {fields} " if fields else ""}
            effect = replace(effect, attributes={**effect.attributes, **told})
        return (effect,)
    by_verb: Mapping[str, Callable[[], tuple[Effect, ...]]] = {
        "read": lambda: file_effects(Verb.READ, rest, place.workspace, place),
        "write": lambda: file_effects(Verb.WRITE, rest, place.workspace, place),
        "delete": lambda: file_effects(Verb.DELETE, rest, place.workspace, place),
        "connect": lambda: (Effect(Verb.CONNECT, rest),),
        "mcp": lambda: mcp_effects(
            "mcp__" + rest.replace(".", "__", 1), {}, place.workspace, place
        ),
        "spawn": lambda: (Effect(Verb.SPAWN, rest),),
        "other": lambda: (Effect(Verb.OTHER, rest, {"kind": "other"}),),
    }
    return by_verb[word]() if rest and word in by_verb else ()
