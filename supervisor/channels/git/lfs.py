"""What git-lfs is about to do: its batch request names the operation in its body. Pure.

Source: git-lfs's documentation, "Batch API". A download is a POST as an upload is; only the body
tells them apart.
"""

from __future__ import annotations

import json
from typing import Any

from supervisor.channels.http.message import RequestHead
from supervisor.channels.http.peek import Look, Peeked, Said

LIMIT = 256 * 1024  # bytes: a batch has a hundred objects
_PATH = "/info/lfs/objects/batch"


def _wants(head: RequestHead) -> int:
    path = head.target.partition("?")[0]
    return LIMIT if head.method == "POST" and path.endswith(_PATH) else 0


def _read(head: RequestHead, target: str, body: Peeked) -> Said:
    """`download` only where no reader could take it for anything else."""
    if not _wants(head) or not body.complete:
        return Said()
    try:
        content = json.loads(body.data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return Said()
    operation = content.get("operation") if isinstance(content, dict) else None
    return Said({"lfs": operation}) if operation in ("download", "upload") else Said()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keys come once, whatever their case (Go's servers do not tell cases apart)."""
    names = {name.lower() for name, _ in pairs}
    if len(names) != len(pairs):
        raise ValueError("a key comes twice")
    return dict(pairs)


LOOK = Look(_wants, _read)
