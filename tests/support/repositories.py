"""A git repository to work in."""

from __future__ import annotations

import subprocess
from pathlib import Path


def a_repository(place: Path) -> Path:
    """With one commit on `main`, of `src/a.py`."""
    (place / "src").mkdir(parents=True)
    (place / "src" / "a.py").write_text("a = 1\n")
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        git(place, *words)
    return place


def git(place: Path, *words: str) -> str:
    """What git says."""
    person = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"]
    return subprocess.run(
        ["git", "-C", str(place), *person, *words], check=True, capture_output=True, text=True
    ).stdout
