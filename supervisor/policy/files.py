"""Files of policies: the presets that come with us, the person's own, and the schema of all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path

import cedarpy

from supervisor.errors import PolicyError, UsageError
from supervisor.policy.source import Layer, PolicySource

# Each with the presets it builds on; those after the first only tighten.
PRESETS: Mapping[str, tuple[str, ...]] = {
    "standard": ("standard",),
    "strict": ("standard", "strict"),
}


@cache
def schema_text() -> str:
    """The published schema."""
    return (resources.files("supervisor.policy") / "schema.cedarschema").read_text("utf-8")


@cache
def policy_schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(schema_text())


def preset_sources(name: str) -> list[PolicySource]:
    """A preset of ours: its own file, after those it builds on.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PRESETS:
        raise UsageError(f"There is no preset {name!r}.", hint=f"Use {', '.join(PRESETS)}.")
    return [
        PolicySource(
            f"{part}.cedar",
            (resources.files("supervisor.policy") / "presets" / f"{part}.cedar").read_text("utf-8"),
            Layer.PROJECT if place else Layer.PRESET,
        )
        for place, part in enumerate(PRESETS[name])
    ]


def user_sources(directory: Path | None, rules: Path | None = None) -> tuple[PolicySource, ...]:
    """The person's own files: `directory`/*.cedar in order of name, then their `rules`.

    Raises:
        PolicyError: a file cannot be read, or the rules are none.
    """
    found = []
    if directory is not None and directory.is_dir():
        found = [
            PolicySource(str(path), read_policy(path), Layer.USER)
            for path in sorted(directory.glob("*.cedar"))
        ]
    if rules is not None:
        from supervisor.policy.rules_file import load_rules

        found.append(load_rules(rules))
    return tuple(found)


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
