"""What every issuer refuses, whatever policy said before."""

from __future__ import annotations

from supervisor.errors import Denied
from supervisor.model import CredentialSpec, Effect, Verb


def require_bound_request(spec: CredentialSpec, effect: Effect) -> None:
    """Only for an HTTP request to a host that the credential is bound to.

    Raises:
        Denied: anything else.
    """
    if effect.verb is not Verb.HTTP:
        raise Denied(
            f"{spec.name} is released for HTTP requests only, not for {effect.label}.",
            hint=f"Send a request to {', '.join(spec.hosts)}.",
        )
    if effect.resource not in spec.hosts:
        raise Denied(
            f"{spec.name} is not bound to {effect.resource}.",
            hint=f"It is good at: {', '.join(spec.hosts)}.",
        )
