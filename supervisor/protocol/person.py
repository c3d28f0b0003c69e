"""What clients and supervisor say to each other about the person."""

from __future__ import annotations

from supervisor.protocol.wire import Wire


class SignInPerson(Wire, frozen=True, kw_only=True):
    """POST /v1/person: an ID token, and the sign-in that it was made for."""

    issuer: str
    client_id: str
    nonce: str
    id_token: str

    def __repr__(self) -> str:
        return "SignInPerson(…)"


class PersonView(Wire, frozen=True, kw_only=True):
    """GET /v1/person"""

    user: str  # "ana@host"
    evidence: str  # model.Evidence value
    issuer: str = ""
    subject: str = ""
    name: str = ""
    until: float = 0.0  # POSIX seconds
