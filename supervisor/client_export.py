"""Writing what the supervisor streams to a file of the person's."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from supervisor.client_review import ReviewCalls
from supervisor.errors import UsageError
from supervisor.protocol.review import FORMATS

_SUFFIXES: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".md": "md"}


async def save(client: ReviewCalls, query: str, target: str, form: str = "") -> Path:
    """Write the records that match to a new file (0600), whole or not at all.

    Args:
        form: one of `protocol.review.FORMATS`, "" for what the name ends in.

    Raises:
        UsageError: the name tells no format, or is taken.
        OSError: the file cannot be written.
        TaskpassError: as the supervisor says.
    """
    form = form or _SUFFIXES.get(Path(target).suffix.lower(), "")
    if not form:
        raise UsageError(
            f"The name {target!r} tells no format.",
            hint=f"Let it end in .{', .'.join(FORMATS)}, or say --format.",
        )
    return await save_parts(client.export(query, form), target)


async def save_parts(parts: AsyncIterator[bytes], target: str) -> Path:
    """Write what comes to a new file (0600), whole or not at all. Raises as `save`."""
    path = _place(target)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            async for part in parts:
                file.write(part)
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise
    return path


def _place(target: str) -> Path:
    path = Path(os.path.expanduser(target))
    if path.exists():
        raise UsageError(f"{path} is there already.", hint="Take another name, or remove it.")
    return path
