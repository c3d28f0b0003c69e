"""What every connection of a task's proxy shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import Origin
from supervisor.channels.http.pool import Pool
from supervisor.ports import Authorize, ConnectionOwner, Release

if TYPE_CHECKING:
    from supervisor.channels.http.visitor import Visitor


class End(Protocol):
    """One end of what carries a use."""

    def abort(self) -> None:
        """End it now. When this returns, nothing more of it reaches the network."""


class Carrier(Protocol):
    """A use on its way.

    Attributes:
        lease: whose bytes it carries, "" for none.
        status: of the response, 0 before there is one.
        reflected: where the secret came back: "", "headers" or "body".
    """

    lease: str
    status: int
    reflected: str

    def ends(self) -> Sequence[End]:
        """What carries it now."""


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
    http2: frozenset[str]  # `host:port`s that clients are offered HTTP/2 for before HTTP/1.1
    speak_http2: Callable[[Endpoint, Visitor, Origin], Awaitable[None]]
    head_timeout: float
    idle_timeout: float
    silence_timeout: float
    track: Callable[[Carrier, bool], None]
    record: Callable[[Coroutine[Any, Any, None]], object]
    settle: Callable[[Release, int], None]
    credentialed: set[Origin]  # where one of our credentials was released
