"""Where the corpora are that benchmarks and tests judge: outside the project, and optional."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

_BESIDE = Path(__file__).parents[3] / "shared" / "corpora"


def directory() -> Path:
    """`TASKPASS_CORPORA`, or `../shared/corpora` beside the repository; it may not exist."""
    return Path(os.environ.get("TASKPASS_CORPORA") or _BESIDE)


def rows(name: str) -> list[dict[str, Any]]:
    """All objects of one corpus.

    Raises:
        FileNotFoundError: with where it was looked for.
    """
    file = directory() / f"{name}.jsonl"
    if not file.exists():
        raise FileNotFoundError(f"There is no {file}: set TASKPASS_CORPORA to where it is.")
    return [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
