"""What counts against a task's budget of changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from supervisor.model import Effect, Verb

_CHANGING = frozenset({Verb.WRITE, Verb.DELETE, Verb.PUSH, Verb.INSTALL})
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def announced_changes(effects: Iterable[Effect]) -> int:
    """Effects of an announced call that change something.

    What it sends over HTTP is counted when it does so (`sent_changes`).
    """
    return sum(_changes(effect) for effect in effects)


def sent_changes(effect: Effect) -> int:
    """1 for a request that changes something, 0 for one that reads (a git fetch is a POST)."""
    if effect.verb is not Verb.HTTP:
        return 0
    if graphql := effect.attributes.get("graphql"):
        return 0 if graphql in ("query", "subscription") else 1
    if effect.attributes.get("websocket"):
        return 1
    reads = effect.attributes.get("method") in _READING_METHODS
    if reads or effect.attributes.get("lfs") == "download":
        return 0
    return 0 if str(effect.attributes.get("path", "")).endswith("/git-upload-pack") else 1


def _changes(effect: Effect) -> bool:
    match effect.verb:
        case Verb.SQL:
            return effect.attributes.get("statement") != "select"
        case Verb.OPERATE:
            return effect.attributes.get("degree") != "read"
        case _:
            return effect.verb in _CHANGING
