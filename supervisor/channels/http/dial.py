"""New connections to servers, with their certificate verified: straight, or by way of a proxy."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable

from supervisor.channels.http.address import resolve
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import (
    HEAD_LIMIT,
    BadGateway,
    Origin,
    parse_response,
)
from supervisor.channels.http.upstream import Proxies, Proxy
from supervisor.errors import ConfigError

# For so long a name is looked up that the network's proxy will look up by itself.
_LOOK_UP = 1.0


def upstream_context(*extra_roots: str | None, http2: bool = False) -> ssl.SSLContext:
    """Verification by the system's roots, and by those in the PEM files `extra_roots`.

    Raises:
        ConfigError: there are none in one of them.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"] if http2 else ["http/1.1"])
    for path in filter(None, extra_roots):
        try:
            context.load_verify_locations(path)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"{path} cannot be used: it holds no certificates in PEM form.",
                hint="Correct network.extra_roots in config.toml.",
            ) from error
    return context


class Dialer:
    """Dials for one task.

    Args:
        registry: every connection is in it as long as it lives.
        context: `upstream_context` for HTTP/1.1 (False) and HTTP/2 (True).
        timeout: seconds for each connection, and for its TLS.
    """

    def __init__(
        self,
        registry: set[Endpoint],
        context: Callable[[bool], ssl.SSLContext],
        proxies: Proxies,
        timeout: float,
    ) -> None:
        self._registry = registry
        self._context = context
        self._proxies = proxies
        self._timeout = timeout

    def forwarding(self, origin: Origin) -> Proxy | None:
        """The proxy that is given whole URLs for `origin`: plain HTTP is not tunnelled."""
        return None if origin.tls else self._proxies.via(origin)

    async def dial(
        self, origin: Origin, *, private: bool, raw: bool = False, http2: bool = False
    ) -> Endpoint:
        """A new connection to an address of `origin` that may be dialled.

        Args:
            private: whether it may be a private address.
            http2: offer that, and nothing else.
            raw: for bytes that are not ours to understand: nobody's TLS is verified here.

        Raises:
            BadGateway: not reachable, or its certificate does not verify.
            Denied: no address may be dialled.
        """
        proxy = self._proxies.via(origin)
        context = self._context(http2) if origin.tls and not raw else None
        if proxy is not None:
            return await self._through(proxy, origin, private, raw, context)
        return await self._straight(origin, private, context)

    async def _straight(
        self, origin: Origin, private: bool, context: ssl.SSLContext | None
    ) -> Endpoint:
        addresses = await resolve(origin, private=private)
        problem: BadGateway | None = None
        for address in addresses:
            try:
                return await self._connect(origin, address, context)
            except ssl.SSLCertVerificationError as error:
                raise _problem(origin, error) from error
            except OSError as error:
                problem = _problem(origin, error)
        assert problem is not None  # `resolve` is never empty
        raise problem

    async def _connect(
        self, origin: Origin, address: str, context: ssl.SSLContext | None
    ) -> Endpoint:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout):
            _, endpoint = await loop.create_connection(
                lambda: Endpoint(self._registry),
                address,
                origin.port,
                ssl=context,
                server_hostname=origin.host if context else None,
            )
        return endpoint

    async def _through(
        self,
        proxy: Proxy,
        origin: Origin,
        private: bool,
        raw: bool,
        context: ssl.SSLContext | None,
    ) -> Endpoint:
        await self._look_up(origin, private=private)
        # Its address is the person's own word; most are private.
        itself = Origin(proxy.host, proxy.port, proxy.tls)
        endpoint = await self._straight(itself, True, self._context(False) if proxy.tls else None)
        if not origin.tls and not raw:
            return endpoint
        try:
            async with asyncio.timeout(self._timeout):
                await _open_tunnel(endpoint, proxy, origin)
                if context is not None:
                    await endpoint.start_tls(context, self._timeout, host=origin.host)
        except OSError as error:
            endpoint.abort()
            raise _problem(origin, error) from error
        except BaseException:
            endpoint.abort()
            raise
        return endpoint

    async def _look_up(self, origin: Origin, *, private: bool) -> None:
        """Refuse what is known here as a private address, though the proxy looks it up itself.

        Raises:
            Denied: every address of it is one we do not dial.
        """
        with contextlib.suppress(BadGateway, TimeoutError):
            async with asyncio.timeout(_LOOK_UP):
                await resolve(origin, private=private)


async def _open_tunnel(endpoint: Endpoint, proxy: Proxy, origin: Origin) -> None:
    """CONNECT (RFC 9110, 9.3.6).

    Raises:
        BadGateway: the proxy refuses.
        OSError: it broke off.
    """
    login = b"Proxy-Authorization: %s\r\n" % proxy.login if proxy.login else b""
    where = origin.authority.encode()
    endpoint.write(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (where, where, login))
    try:
        raw = await endpoint.until(b"\r\n\r\n", HEAD_LIMIT)
    except OverflowError as error:
        raise BadGateway(f"The network's proxy {proxy.url} answers with no end.") from error
    if raw is None:
        raise ConnectionResetError("the network's proxy closed")
    status = parse_response(raw, "CONNECT").status
    if status == 407:
        raise BadGateway(
            f"The network's proxy {proxy.url} wants another log-in.",
            hint="A person corrects it in HTTPS_PROXY, or in network.proxy of config.toml, and "
            "starts the task anew.",
        )
    if not 200 <= status < 300:
        raise BadGateway(
            f"The network's proxy {proxy.url} refuses {origin.authority} ({status}).",
            hint="If it can be reached directly, a person adds it to NO_PROXY.",
        )
    if endpoint.pending:
        raise BadGateway(f"The network's proxy {proxy.url} sent what nobody asked for.")


def _problem(origin: Origin, error: OSError) -> BadGateway:
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadGateway(
            f"The certificate of {origin.authority} does not verify: {error.verify_message}.",
            hint="Add its authority to the supervisor's extra roots.",
        )
    if isinstance(error, TimeoutError):
        return BadGateway(f"{origin.authority} does not answer.")
    if isinstance(error, ssl.SSLError) and (
        # Not every version of Python has a name for this alert (RFC 7301, 3.2).
        error.reason is None or "NO_APPLICATION_PROTOCOL" in error.reason
    ):
        return BadGateway(
            f"{origin.authority} ended TLS; it may not speak the HTTP version that was offered.",
            hint=f'If it speaks HTTP/2 only, a person adds "{origin.authority}" to network.http2 '
            "in config.toml.",
        )
    if isinstance(error, ssl.SSLError):
        return BadGateway(f"TLS with {origin.authority} failed: {error.reason}.")
    reason = error.strerror or str(error) or type(error).__name__
    return BadGateway(f"Cannot connect to {origin.authority}: {reason}.")
