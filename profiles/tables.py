"""Tables of agents' settings, whatever those hold: JSON and TOML that people write. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(value: Any) -> dict[str, Any]:
    """A copy of it, {} for what is no table."""
    return dict(value) if isinstance(value, Mapping) else {}


def names(value: Any) -> list[str]:
    """The texts in a list, none of what is no list."""
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def with_hooks(theirs: Any, ours: Mapping[str, list[Any]]) -> dict[str, Any]:
    """A `hooks` table with ours after theirs: event → groups."""
    known = table(theirs)
    joined = {event: [*_groups(known.get(event)), *groups] for event, groups in ours.items()}
    return {**known, **joined}


def _groups(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
