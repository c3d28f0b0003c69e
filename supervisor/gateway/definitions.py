"""What a tool is, as its server defines it: the form that is pinned, its digest, and a change.

A definition is all that the server says of a tool (name, words, schemas, annotations): every part
of it reaches a model, so every part of it is pinned. The server's instructions are one more entry,
called `INSTRUCTIONS`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

INSTRUCTIONS = "(instructions)"  # no tool can be called so: the SDK refuses such names
_MOST_LINES = 80  # of a change that is shown


def digest(definition: Mapping[str, Any]) -> str:
    """`sha256:<hex>` of the definition, whatever the order of its keys."""
    return "sha256:" + hashlib.sha256(_canonical(definition).encode()).hexdigest()


def change(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> str:
    """What is different, as a person reads it: a unified diff, cut where it is very long."""
    import difflib  # few servers change: nobody else waits for it

    before = [] if old is None else _lines(old)
    lines = list(difflib.unified_diff(before, _lines(new), "pinned", "offered", lineterm="", n=2))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"… and {len(lines) - _MOST_LINES} lines more"]
    what = "is new" if old is None else "has changed"
    return "\n".join([f"{name} {what}", *lines])


def _canonical(definition: Mapping[str, Any]) -> str:
    return json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _lines(definition: Mapping[str, Any]) -> list[str]:
    return json.dumps(definition, sort_keys=True, indent=1, ensure_ascii=False).splitlines()
