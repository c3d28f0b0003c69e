"""`taskpass history --export` and `taskpass verify FILE`."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from supervisor.cli.history import query_of
from supervisor.cli.session import print_json, with_client
from supervisor.client import AsyncClient
from supervisor.errors import NotFound, UsageError
from supervisor.review.checking import Checked, check_file
from supervisor.review.exporting import FORMATS

_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".md": "md"}


def export(words: list[str], target: str, form: str | None) -> int:
    """Write the records that match to a file (0600), whole or not at all."""
    form = form or _SUFFIXES.get(Path(target).suffix.lower(), "jsonl" if target == "-" else "")
    if not form:
        raise UsageError(
            f"The name {target} tells no format.", hint=f"Add --format: {', '.join(FORMATS)}."
        )
    if target == "-":
        with_client(lambda client: _write(client, words, form, sys.stdout.buffer))
        return 0
    path = Path(target)
    if path.exists():
        raise UsageError(f"{path} is there already.", hint="Take another name, or remove it.")
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with_client(lambda client: _write(client, words, form, file))
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(OSError):
            scratch.unlink()
        raise
    print(f"{path}: check it anywhere with `taskpass verify {path}`.")
    return 0


async def _write(client: AsyncClient, words: list[str], form: str, file: BinaryIO) -> None:
    async for part in client.export(await query_of(client, words), form):
        file.write(part)
    file.flush()


def verify_file(name: str, key: str, as_json: bool) -> int:
    """Check an export. Its key has to be ours, or the one that the person names."""
    try:
        found = check_file(Path(name).read_bytes())
    except FileNotFoundError:
        raise NotFound(f"There is no file {name}.", hint="Name an export.") from None
    known = key or _own_key()
    trusted = found.ok and found.key == known
    if as_json:
        print_json({"ok": trusted, "message": found.message, "key": found.key,
                    "key_known": found.key == known, "records": found.records,
                    "linked": found.linked, "checkpoints": found.checkpoints})  # fmt: skip
        return int(not trusted)
    print(f"{'ok' if trusted else 'BROKEN' if not found.ok else 'UNKNOWN KEY'}: {found.message}")
    print(f"signed by {found.key}{_whose(found, key, known)}")
    return int(not trusted)


def _whose(found: Checked, key: str, known: str) -> str:
    if found.key == known:
        return ", as you said" if key else ", the key of this install"
    if key:
        return f", and not by {key}"
    return (
        "\nThis is not the key of this install. `taskpass verify` shows an install's key: ask for "
        "it where the file was made, then say --key SHA256:…"
    )


def _own_key() -> str:
    """Fingerprint of this install's key, "" where it has none yet."""
    from supervisor import places
    from supervisor.ledger.files import key_path
    from supervisor.ledger.signing import CheckpointKey, fingerprint

    path = key_path(Path(places.state()) / "ledger.db")
    return fingerprint(CheckpointKey.from_file(path).public) if path.exists() else ""
