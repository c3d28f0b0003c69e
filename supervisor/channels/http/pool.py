"""Connections to servers: dialled with their certificate verified, and kept for the next request.

One pool per task. A kept connection carries no authority: each request brings its own headers.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from supervisor.channels.http.address import resolve
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import BadGateway, Origin
from supervisor.errors import ConfigError

_KEPT_PER_ORIGIN = 64


def upstream_context(extra_roots: str | None = None) -> ssl.SSLContext:
    """Verification by the system's roots, and by those in the PEM file `extra_roots`.

    Raises:
        ConfigError: there are none in it.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if extra_roots:
        try:
            context.load_verify_locations(extra_roots)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"{extra_roots} cannot be used: it holds no certificates in PEM form.",
                hint="Correct network.extra_roots in config.toml.",
            ) from error
    return context


class Pool:
    """Idle and new connections of one task."""

    def __init__(
        self,
        registry: set[Endpoint],
        context: ssl.SSLContext,
        allow_private: Callable[[], frozenset[str]],
        *,
        connect_timeout: float,
        idle_timeout: float,
    ) -> None:
        self._registry = registry
        self._context = context
        self._allow_private = allow_private
        self._connect_timeout = connect_timeout
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

    async def dial(self, origin: Origin, *, private: bool | None = None) -> Endpoint:
        """A new connection to an address of `origin` that may be dialled.

        `private` overrides the pool's own list of hosts that may be private.

        Raises:
            BadGateway: not reachable, or its certificate does not verify.
            Denied: no address may be dialled.
        """
        if private is None:
            private = self.private_allowed(origin)
        addresses = await resolve(origin, private=private)
        problem: BadGateway | None = None
        for address in addresses:
            try:
                return await self._connect(origin, address)
            except ssl.SSLCertVerificationError as error:
                raise BadGateway(
                    f"The certificate of {origin.authority} does not verify: "
                    f"{error.verify_message}.",
                    hint="Add its authority to the supervisor's extra roots.",
                ) from error
            except TimeoutError:
                problem = BadGateway(f"{origin.authority} does not answer.")
            except ssl.SSLError as error:
                problem = BadGateway(f"TLS with {origin.authority} failed: {error.reason}.")
            except OSError as error:
                reason = error.strerror or type(error).__name__
                problem = BadGateway(f"Cannot connect to {origin.authority}: {reason}.")
        assert problem is not None  # `resolve` is never empty
        raise problem

    async def _connect(self, origin: Origin, address: str) -> Endpoint:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._connect_timeout):
            _, endpoint = await loop.create_connection(
                lambda: Endpoint(self._registry),
                address,
                origin.port,
                ssl=self._context if origin.tls else None,
                server_hostname=origin.host if origin.tls else None,
            )
        return endpoint

    def forget(self) -> None:
        """Drop the idle connections (they are in the registry, and aborted there)."""
        self._idle.clear()
