"""Which service git asks a repository's refs for: the first request of a fetch, or of a push.

The path alone does not tell (gitprotocol-http(5), "Smart Clients"), and whoever makes a token for
the request has to know whether it will have to write.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from supervisor.channels.http.message import RequestHead
from supervisor.channels.http.peek import Look, Peeked, Said

_SERVICES = frozenset({"git-upload-pack", "git-receive-pack"})


def _read(head: RequestHead, target: str, body: Peeked) -> Said:
    path, _, query = target.partition("?")
    named = parse_qs(query).get("service", [])
    if not path.endswith("/info/refs") or len(named) != 1 or named[0] not in _SERVICES:
        return Said()
    return Said({"service": named[0]})


LOOK = Look(lambda head: 0, _read)
