"""What clients and supervisor say to each other about credentials, besides `wire.AddCredential`."""

from __future__ import annotations

from supervisor.protocol.wire import Wire


class KindView(Wire, frozen=True, kw_only=True):
    """As `ports.Kind`."""

    name: str
    title: str
    resource: str
    verb: str
    lifetime: str
    kill_mode: str
    bound: str


class KindsView(Wire, frozen=True, kw_only=True):
    """GET /v1/kinds"""

    issuers: tuple[KindView, ...]
    channels: tuple[KindView, ...]


class RotateCredential(Wire, frozen=True, kw_only=True):
    """POST /v1/credentials/NAME/rotate"""

    secret: str

    def __repr__(self) -> str:
        return "RotateCredential(…)"


class EndedLeases(Wire, frozen=True, kw_only=True):
    """What a change to a credential took away."""

    leases: int
    connections: int
    unconfirmed: int = 0  # the other end has not confirmed; tried again


class TestCredential(Wire, frozen=True, kw_only=True):
    """POST /v1/credentials/NAME/test: one GET with it, as tasks would be lent it."""

    path: str = "/"
    host: str = ""  # "" for the first that it is bound to


class TestedCredential(Wire, frozen=True, kw_only=True):
    host: str
    path: str
    status: int  # what came from the host
    expires: float = 0.0  # POSIX seconds, of one that was minted for this
    revoked: bool = False  # … and revoked again
    unconfirmed: bool = False  # … or not yet: asked again behind this
    works_after: bool | None = None  # whether the other end still took it then; None: cannot tell
