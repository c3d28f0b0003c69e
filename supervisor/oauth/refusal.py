"""A provider's error answers (RFC 6749 section 5.2 and its extensions) as sentences of ours.

`error_description` is never shown: it is the provider's text, and may repeat what it was sent.
"""

from __future__ import annotations

import re

from supervisor.errors import IssuerFailed
from supervisor.oauth.http import Answer

_CODE = re.compile(r"[a-z_]{1,40}")

_MEANING = {
    "invalid_grant": "the sign-in, or the code, is not good any more",
    "invalid_client": "it does not know the client, or the client's secret is wrong",
    "unauthorized_client": "the client may not ask in this way",
    "unsupported_grant_type": "it does not do what was asked",
    "invalid_scope": "it does not give the scope that was asked for",
    "invalid_target": "it makes no tokens for the resource that was named",
    "invalid_request": "it takes the request for malformed",
    "invalid_authorization_details": "it does not take authorization_details of that type",
    "access_denied": "the person, or the provider, said no",
    "expired_token": "the code was not entered in time",
    "invalid_token": "the token is not good any more",
    "unsupported_token_type": "it cannot end tokens of that type",
    "server_error": "something failed there",
    "temporarily_unavailable": "it is not available at the moment",
    "login_required": "a person has to log in there",
    "consent_required": "a person has to consent there",
    "interaction_required": "a person has to do something there",
}


class Refused(IssuerFailed):
    """The provider answered, and the answer is no. `error` is its code, "" for none of use."""

    def __init__(self, host: str, what: str, error: str, hint: str = "") -> None:
        told = _MEANING.get(error, "")
        because = f": {told} ({error})" if told else f" ({error or 'without a reason we know'})"
        super().__init__(f"{host} refused {what}{because}.", hint=hint, unclear=False)
        self.error = error


def code_of(error: object) -> str:
    """An error code that can be shown, "" for anything else."""
    return error if isinstance(error, str) and _CODE.fullmatch(error) else ""


def refused(answer: Answer, what: str, hint: str = "") -> IssuerFailed:
    """The error for an answer that is not 2xx. `what` was refused: "a token for api"."""
    if answer.status >= 500 and "error" not in answer.body:
        return IssuerFailed(
            f"{answer.host} failed on {what} ({answer.status}).", hint="Try again later."
        )
    return Refused(answer.host, what, code_of(answer.body.get("error")), hint)
