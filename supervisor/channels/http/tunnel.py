"""Tunnels that are not read: why one could not be, what works instead, and those that need not be.

What ends in TLS here is judged request by request. A client that speaks something else in its
tunnel, names another host, or believes no authority but its own, is refused with a way that works.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.channels.http.message import BadRequest, Origin
from supervisor.channels.http.services import End

_OLD = frozenset(("UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "TLSV1_ALERT_PROTOCOL_VERSION"))
_NOT_TLS = frozenset(("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "UNEXPECTED_MESSAGE"))
_DISTRUST = frozenset(
    (
        "TLSV1_ALERT_UNKNOWN_CA",
        "SSLV3_ALERT_BAD_CERTIFICATE",
        "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
        "TLSV1_ALERT_DECRYPT_ERROR",
    )
)


class NotIntercepted(BadRequest):
    """A tunnel whose content cannot be judged."""

    code, status = "not_intercepted", 403


@dataclass(eq=False, slots=True)
class Spliced:
    """A tunnel that passes unread; see `services.Carrier`."""

    lease: str
    carrying: list[End]
    status: int = 0
    reflected: str = ""

    def ends(self) -> Sequence[End]:
        return tuple(self.carrying)


def unreadable(origin: Origin, error: OSError) -> NotIntercepted:
    """What the failed handshake of a client, in a tunnel to `origin`, is told and recorded as."""
    where = origin.authority
    reason = getattr(error, "reason", None) if isinstance(error, ssl.SSLError) else None
    if reason == "CALLBACK_FAILED":  # of `ca.CertificateAuthority.context`
        return NotIntercepted(
            f"The TLS client in the tunnel to {where} named another host, or none.",
            hint="Open a tunnel for each host, send its name (SNI), and switch Encrypted Client "
            "Hello off.",
        )
    if reason == "HTTP_REQUEST":
        return NotIntercepted(
            f"Plain HTTP was sent in the tunnel to {where}.",
            hint="Send http:// requests to the proxy with their whole URL (HTTP_PROXY), or use "
            "https://.",
        )
    if reason in _OLD:
        return NotIntercepted(
            f"The client in the tunnel to {where} offers no TLS newer than 1.1.",
            hint="Use a client that speaks TLS 1.2 or 1.3.",
        )
    if reason in _NOT_TLS or isinstance(error, ConnectionAbortedError | TimeoutError):
        return NotIntercepted(
            f"What was sent in the tunnel to {where} is not TLS.",
            hint=f'Use https. If it must pass unread, a person adds "{where}" to network.splice '
            "in config.toml.",
        )
    if reason in _DISTRUST or isinstance(error, ConnectionError):
        return NotIntercepted(
            f"The client in the tunnel to {where} does not accept the task's certificate.",
            hint="Use a client that reads SSL_CERT_FILE. If it accepts no authority but its own, "
            f'a person adds "{where}" to network.splice in config.toml.',
        )
    return NotIntercepted(
        f"TLS with the client in the tunnel to {where} failed ({reason or 'no reason given'}).",
        hint="Use an ordinary TLS client, or ask the person to list the host in network.splice.",
    )
