"""What a project asks for in `taskpass.toml`: it may only tighten, and propose.

    [policy]
    preset = "strict"                  # a stricter preset than the person's own
    files = ["policy/rules.cedar"]     # in the workspace
    cedar = '''forbid (principal, action == Action::"push", resource);'''

    [limits]
    max_calls = 500
    max_changes = 50                   # files, rows, refs and requests it may change
    max_age = 120                      # minutes
    max_call_age = 10                  # minutes
    memory = "2G"                      # and cpus = 2.0, processes = 200: where a cgroup can hold it

    [containment]
    mode = "strict"                    # at least this one
    deny_read = ["secrets/**"]         # in the workspace
    overlay = true                     # work on an overlay, to be reviewed: `taskpass changes`

    [[needs]]                          # a proposal, in force once the person accepts it
    resource = "https://api.github.com/repos/acme/shop"     # see `policy.needs`

It is read once, when a task is made, and known by its digest from then on: what changes in the
workspace while the task runs changes nothing for it. A file that cannot be used starts no task.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from supervisor.errors import PolicyError, UsageError
from supervisor.model import Limits, Need
from supervisor.policy.files import PRESETS, preset_sources, read_policy
from supervisor.policy.needs import keycard_needs, read_needs
from supervisor.policy.source import Layer, PolicySource
from supervisor.sizes import bytes_of

NAME = "taskpass.toml"

_N = TypeVar("_N", int, float)

_TABLES: Mapping[str, Mapping[str, str]] = {
    "policy": {"preset": "text", "files": "texts", "cedar": "text"},
    "limits": {
        "max_calls": "count",
        "max_changes": "count",
        "max_age": "minutes",
        "max_call_age": "minutes",
        "memory": "size",
        "cpus": "number",
        "processes": "count",
    },
    "containment": {"mode": "mode", "deny_read": "texts", "overlay": "switch"},
}
_SYNTAX = re.compile(r"^(?P<what>.*?)\s*\(at line (?P<line>\d+), column (?P<column>\d+)\)$")


@dataclass(frozen=True, slots=True)
class Project:
    """What one workspace asks for."""

    sources: tuple[PolicySource, ...] = ()
    preset: str = ""  # "" leaves the person's
    max_calls: int = 0  # 0: leaves it
    max_changes: int = 0
    max_age: float = 0.0  # seconds
    max_call_age: float = 0.0  # seconds
    memory: int = 0  # bytes
    cpus: float = 0.0
    processes: int = 0
    contain: str = "off"  # the least containment: "off", "standard", "strict"
    overlay: bool = False  # its tasks work on an overlay, to be reviewed
    deny_read: tuple[str, ...] = ()  # patterns below the workspace
    digest: str = ""  # "sha256:<hex>" over all that was read, "" where there is nothing
    needs: tuple[Need, ...] = ()  # proposed: in force only where the person accepted them

    def sources_for(self, preset: str) -> tuple[PolicySource, ...]:
        """For `CedarEngine.tightened`, where the person's own preset is `preset`."""
        own = {source.name for source in preset_sources(preset)}
        stricter = preset_sources(self.preset) if self.preset else []
        return (*(source for source in stricter if source.name not in own), *self.sources)

    def tightened(self, limits: Limits) -> Limits:
        """`limits`, each lowered where the project asks for less."""
        changes = [each for each in (limits.max_changes, self.max_changes or -1) if each >= 0]
        return replace(
            limits,
            max_changes=min(changes, default=limits.max_changes),
            max_calls=min(limits.max_calls, self.max_calls or limits.max_calls),
            max_age=min(limits.max_age, self.max_age or limits.max_age),
            max_call_age=min(limits.max_call_age, self.max_call_age or limits.max_call_age),
            memory=_lower(limits.memory, self.memory),
            cpus=_lower(limits.cpus, self.cpus),
            processes=_lower(limits.processes, self.processes),
        )


def _lower(own: _N, asked: _N) -> _N:
    """The lower of two limits, 0 being none."""
    return min(own, asked) if own and asked else own or asked


def asks_for_something(workspace: str) -> bool:
    """Whether there is a `taskpass.toml`, readable or not."""
    return os.path.lexists(Path(workspace) / NAME)


def read_project(workspace: str) -> Project:
    """What `taskpass.toml` at the top of `workspace` asks for; nothing where there is none.

    Raises:
        PolicyError: it cannot be read or used; the message names the file, and the place in it.
    """
    path = Path(workspace) / NAME
    if not asks_for_something(workspace):
        return Project(needs=keycard_needs(workspace))
    text = read_policy(path)
    tables = _parse(text, path)
    needs = read_needs(tables.pop("needs", []), path)
    tables = _checked(tables, path)
    policy, limits = tables.get("policy", {}), tables.get("limits", {})
    containment = tables.get("containment", {})
    sources = [_file(name, workspace, path) for name in policy.get("files", ())]
    if "cedar" in policy:
        sources.append(PolicySource(f"{path}[policy.cedar]", policy["cedar"], Layer.PROJECT))
    state = hashlib.sha256(text.encode())
    for source in sources:
        state.update(b"\0" + source.text.encode())
    return Project(
        sources=tuple(sources),
        preset=policy.get("preset", ""),
        max_calls=limits.get("max_calls", 0),
        max_changes=limits.get("max_changes", 0),
        max_age=limits.get("max_age", 0) * 60.0,
        max_call_age=limits.get("max_call_age", 0) * 60.0,
        memory=bytes_of(limits["memory"]) if "memory" in limits else 0,
        cpus=float(limits.get("cpus", 0)),
        processes=limits.get("processes", 0),
        contain=containment.get("mode", "off"),
        deny_read=tuple(containment.get("deny_read", ())),
        overlay=containment.get("overlay", False),
        digest=f"sha256:{state.hexdigest()}",
        needs=(*needs, *keycard_needs(workspace)),
    )


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _SYNTAX.match(str(error))
        lines = text.splitlines() or [""]
        place = f"{len(lines)}:{len(lines[-1]) + 1}"
        if found:
            place = f"{found['line']}:{found['column']}"
        what = found["what"] if found else str(error)
        raise PolicyError(f"{path}:{place}: {what}.", hint="It must be TOML.") from None


def _checked(tables: dict[str, Any], path: Path) -> dict[str, Any]:
    for table, content in tables.items():
        if table not in _TABLES or not isinstance(content, dict):
            known = ", ".join([*(f"[{name}]" for name in _TABLES), "[[needs]]"])
            raise PolicyError(f"{path}: there is no {table!r}.", hint=f"There are: {known}.")
        for key, value in content.items():
            if key not in _TABLES[table]:
                known = ", ".join(_TABLES[table])
                raise PolicyError(
                    f"{path}: there is no {table}.{key}.", hint=f"There are: {known}."
                )
            problem = _problem(_TABLES[table][key], value)
            if problem:
                raise PolicyError(f"{path}: {table}.{key} {problem}.", hint="Correct the value.")
    for pattern in tables.get("containment", {}).get("deny_read", ()):
        if pattern.startswith(("/", "~")) or ".." in pattern.split("/"):
            raise PolicyError(
                f"{path}: containment.deny_read names {pattern}, which is outside the workspace.",
                hint="A project keeps what is its own; the person's config.toml keeps the rest.",
            )
    preset = tables.get("policy", {}).get("preset", "")
    if preset and preset not in PRESETS:
        raise PolicyError(
            f"{path}: there is no preset {preset!r}.", hint=f"Use {', '.join(PRESETS)}."
        )
    return tables


def _problem(kind: str, value: object) -> str:
    """What is wrong with a value, "" when nothing is."""
    if kind == "text":
        return "" if isinstance(value, str) else "must be a text"
    if kind == "texts":
        good = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return "" if good else "must be a list of texts"
    if kind == "size":
        try:
            bytes_of(str(value))
        except UsageError as error:
            return f"is not usable: {error}"
        return "" if isinstance(value, str) else "must be a text"
    if kind == "mode":
        return "" if value in ("standard", "strict") else "must be standard or strict"
    if kind == "switch":
        return "" if isinstance(value, bool) else "must be true or false"
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "count":
        number = number and isinstance(value, int)
    return "" if number and 0 < float(str(value)) < 1e9 else "must be a number above 0"


def _file(name: str, workspace: str, path: Path) -> PolicySource:
    """One policy file, which lies in the workspace whatever links say."""
    root = os.path.realpath(workspace)
    real = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, real]) != root:
        raise PolicyError(
            f"{path}: policy.files names {name}, which is outside the workspace.",
            hint="Keep a project's policy in the project.",
        )
    return PolicySource(real, read_policy(Path(real)), Layer.PROJECT)
