"""Connections to servers, kept for the next request.

One pool per task. A kept connection carries no authority: each request brings its own headers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from supervisor.channels.http.dial import Dialer
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import Field, Origin, RequestHead, write_request

_KEPT_PER_ORIGIN = 64


class Pool:
    """Idle and new connections of one task."""

    def __init__(
        self,
        dialer: Dialer,
        allow_private: Callable[[], frozenset[str]],
        *,
        idle_timeout: float,
    ) -> None:
        self._dialer = dialer
        self._allow_private = allow_private
        self._idle_timeout = idle_timeout
        self._idle: dict[Origin, list[Endpoint]] = {}

    def private_allowed(self, origin: Origin) -> bool:
        """Whether a person has named it as a host that may be a private address."""
        hosts = self._allow_private()
        return origin.host in hosts or origin.authority in hosts

    def kept(self, origin: Origin) -> Endpoint | None:
        """An idle connection that is still good, taken out of the pool."""
        idle = self._idle.get(origin)
        while idle:
            endpoint = idle.pop()
            # Bytes nobody asked for would be taken for the answer to the next request.
            if endpoint.lost or endpoint.pending or endpoint.ended:
                endpoint.abort()
                continue
            return endpoint
        return None

    def keep(self, origin: Origin, endpoint: Endpoint) -> None:
        """Put a connection with a complete exchange behind it into the pool."""
        idle = self._idle.setdefault(origin, [])
        if endpoint.lost or endpoint.pending or len(idle) >= _KEPT_PER_ORIGIN:
            endpoint.abort()
            return
        endpoint.wait_up_to(self._idle_timeout)
        idle.append(endpoint)

    async def dial(
        self,
        origin: Origin,
        *,
        private: bool | None = None,
        raw: bool = False,
        http2: bool = False,
    ) -> Endpoint:
        """A new connection; see `Dialer.dial`.

        `private` overrides the pool's own list of hosts that may be private.
        """
        if private is None:
            private = self.private_allowed(origin)
        return await self._dialer.dial(origin, private=private, raw=raw, http2=http2)

    def wire(
        self, head: RequestHead, origin: Origin, target: str, fields: Iterable[Field]
    ) -> bytes:
        """The head that goes upstream: with the whole URL, where that is a proxy."""
        proxy = self._dialer.forwarding(origin)
        if proxy is None:
            return write_request(head, origin, target, fields)
        if target == "*":
            target = ""  # RFC 9112, 3.2.4
        if proxy.login:
            fields = [*fields, (b"proxy-login", b"Proxy-Authorization", proxy.login)]
        return write_request(head, origin, f"http://{origin.authority}{target}", fields)

    def forget(self) -> None:
        """Drop the idle connections (they are in the registry, and aborted there)."""
        self._idle.clear()
