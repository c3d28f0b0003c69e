"""What every connection of a task's proxy shares."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.exchange import Exchange
from supervisor.channels.http.message import Origin
from supervisor.channels.http.pool import Pool
from supervisor.ports import Authorize, ConnectionOwner, Release


@dataclass(frozen=True, slots=True)
class Services:
    """See the module's text. Times are seconds, as in `proxy.Timeouts`."""

    task: str
    authorize: Authorize
    owner: ConnectionOwner
    ca: CertificateAuthority
    pool: Pool
    model_hosts: frozenset[str]
    splice: frozenset[str]  # `host:port`s whose tunnels are not opened here
    head_timeout: float
    idle_timeout: float
    silence_timeout: float
    track: Callable[[Exchange, bool], None]
    record: Callable[[Coroutine[Any, Any, None]], object]
    settle: Callable[[Release, int], None]
    credentialed: set[Origin]  # where one of our credentials was released
