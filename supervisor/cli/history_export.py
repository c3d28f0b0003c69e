"""`taskpass history --export` and `taskpass verify FILE`."""

from __future__ import annotations

import sys
from pathlib import Path

from supervisor.cli.history import query_of
from supervisor.cli.session import print_json, with_client
from supervisor.client import AsyncClient
from supervisor.client_export import save
from supervisor.errors import NotFound
from supervisor.review.checking import Checked, check_file


def export(words: list[str], target: str, form: str | None) -> int:
    """Write the records that match to a file, or to standard output."""

    async def write(client: AsyncClient) -> Path | None:
        query = await query_of(client, words)
        if target != "-":
            return await save(client, query, target, form or "")
        async for part in client.export(query, form or "jsonl"):
            sys.stdout.buffer.write(part)
        sys.stdout.flush()
        return None

    path = with_client(write)
    if path is not None:
        print(f"{path}: check it anywhere with `taskpass verify {path}`.")
    return 0


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
