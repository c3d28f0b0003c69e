"""The settings files of Gemini CLI and its kin: each is read once for a launch.

What was looked at is then what is used, whatever is written into a file meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiles.files import read_settings


@dataclass(frozen=True, slots=True)
class File:
    """One of them. `settings`: {} where there is no such file."""

    path: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Files:
    """All of them; a later one wins."""

    person: File
    project: File
    machine: File


def read(person: Path, project: Path, machine: Path, agent: str) -> Files:
    """Read the three. Raises ConfigError: one cannot be used."""
    files = (File(path, read_settings(path, agent)) for path in (person, project, machine))
    return Files(*files)
