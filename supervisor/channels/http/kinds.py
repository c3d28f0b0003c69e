"""The ways a credential goes through the proxy, as `taskpass credential kinds` lists them.

Each is measured by `tests/bench/kill.py` under its name. The bound is of all of them: from the
moment a revocation is asked for to the last byte.
"""

from __future__ import annotations

from supervisor.model import KillMode
from supervisor.ports import Kind

BOUND = 0.15  # seconds

_REQUEST = "host, method and path; GraphQL: its operation and fields"


def _kind(name: str, title: str, resource: str, verb: str, lifetime: str) -> Kind:
    return Kind(
        name, title, resource, verb, lifetime, KillMode.WIRE, f"{BOUND:g} s: connections are cut"
    )


KINDS = (
    _kind("http", "HTTP/1.1 in clear, by the proxy", _REQUEST, "policy, at each request", "a use"),
    _kind("https", "HTTP/1.1 over TLS, by the proxy", _REQUEST, "policy, at each request", "a use"),
    _kind(
        "http2", "HTTP/2, for clients and hosts that speak nothing else (gRPC); cut by stream",
        _REQUEST, "policy, at each stream", "a stream",
    ),
    _kind(
        "sse", "an answer that goes on (SSE, downloads)", _REQUEST, "policy, when it begins",
        "as long as the answer",
    ),
    _kind(
        "websocket", "WebSocket, by its opening request", _REQUEST, "policy, when it opens",
        "as long as the connection",
    ),
    _kind(
        "connect", "a tunnel that is not read, where network.splice lists it; no credential",
        "host and port", "policy, when it opens", "as long as the connection",
    ),
    _kind(
        "git", "git over HTTPS, by its helper and the proxy", "repository, and each pushed ref",
        "fetch, push, force", "a use",
    ),
    _kind(
        "gh", "gh, by a unix socket of the task", _REQUEST, "policy, at each request", "a use",
    ),
)  # fmt: skip
