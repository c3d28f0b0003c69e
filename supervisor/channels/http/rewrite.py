"""Surrogate in, secret out: the credential positions of a request's head. Pure.

Released into headers only: a secret in a URL ends up in logs and referrers. `Basic` is taken apart,
because git and package managers carry tokens as its password.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import unquote_plus

from supervisor.channels.http.message import Field
from supervisor.errors import Denied
from supervisor.ports import Release

# Fields whose values are credentials wherever they go: left out at hosts where one of ours is
# bound, or an agent could carry data out through an allowed host under somebody else's key.
_CREDENTIAL_FIELD = re.compile(
    rb"authorization|cookie|x-authorization|x-amz-security-token|x-vault-token|x-gitlab-token"
    rb"|(?:.+-)?(?:api|auth|access|application|app|session|private|job|deploy|refresh|id|bearer)"
    rb"[-_]?(?:token|key|secret)"
    rb"|(?:.+-)?(?:password|passwd|secret)"
)
# The same in a URL's query; signatures make its whole request somebody's.
_CREDENTIAL_PARAMETER = re.compile(
    r"(?:x[-_])?(?:access|api|auth|oauth|private|job|session|id|refresh|bearer|app|application)"
    r"[-_]?(?:token|key|secret)"
    r"|client[-_]?secret|password|passwd|secret|sig|signature"
    r"|x-(?:amz|goog)-(?:signature|credential|security-token)",
    re.IGNORECASE,
)
# Fields of every request, which hold no credential; skipped so that a look-up is rare.
_PLAIN = frozenset(
    (
        b"accept",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"proxy-authorization",
        b"proxy-connection",
        b"transfer-encoding",
        b"user-agent",
    )
)
_SUSPECT = re.compile("token|key|secret|passw|sig|credential", re.IGNORECASE)
_CANDIDATES = 64
_SHORTEST, _LONGEST = 8, 8192
_SENDABLE = re.compile(rb"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


@lru_cache(256)
def is_credential(key: bytes) -> bool:
    """Whether a field of this (lower-case) name carries a credential."""
    return _CREDENTIAL_FIELD.fullmatch(key) is not None


def candidates(fields: Sequence[Field], target: str = "") -> list[str]:
    """Strings that may be surrogates, in order, each once; bounded in number and length."""
    found: dict[str, None] = {}
    for key, _, value in fields:
        if key in _PLAIN:
            continue
        for text in _parts(key, value):
            if _SHORTEST <= len(text) <= _LONGEST and len(found) < _CANDIDATES:
                found[text.decode("latin-1")] = None
    for part in _query(target):
        name, _, shown = part.partition("=")
        said = unquote_plus(shown)
        if (
            _CREDENTIAL_PARAMETER.fullmatch(unquote_plus(name))
            and _SHORTEST <= len(said) <= _LONGEST
            and len(found) < _CANDIDATES
        ):
            found[said] = None
    return list(found)


def _query(target: str) -> list[str]:
    """The parts of a target's query, as they are; none where no name in it is a credential's."""
    query = target.partition("?")[2]
    # Looked at in every request: mostly one glance will do.
    suspect = "%" in query or (query and _SUSPECT.search(query))
    return re.split("[&;]", query) if suspect else []


def without_parameters(target: str) -> str:
    """The target with no credential in its query."""
    kept = [
        part
        for part in _query(target)
        if not _CREDENTIAL_PARAMETER.fullmatch(unquote_plus(part.partition("=")[0]))
    ]
    if len(kept) == len(_query(target)):
        return target
    path = target.partition("?")[0]
    return f"{path}?{'&'.join(kept)}" if kept else path


def _parts(key: bytes, value: bytes) -> list[bytes]:
    """The credential positions of one value."""
    if key == b"cookie":
        return [pair.partition(b"=")[2].strip() for pair in value.split(b";")]
    scheme, space, rest = value.partition(b" ")
    if not space:
        return [value]
    rest = rest.strip()
    if scheme.lower() == b"basic":
        user, _, password = _decode(rest).partition(b":")
        return [password, user]
    return [rest, value]


def _decode(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def without_credentials(fields: Sequence[Field]) -> list[Field]:
    """The fields with no credential among them."""
    return [field for field in fields if not is_credential(field[0])]


def put_secret(
    fields: Sequence[Field], release: Release, secret: str
) -> tuple[list[Field], tuple[bytes, ...]]:
    """The fields with the surrogate replaced, and the byte strings by which to know the secret.

    Other credentials and further values of the same field are left out. The body, or what a
    WebSocket carries, is asked for uncompressed, so that an echo of the secret can be seen.

    Raises:
        Denied: the surrogate is not in the field that the credential is bound to, or the secret
            cannot be sent in a header.
    """
    real = secret.encode()
    if not _SENDABLE.fullmatch(real):
        raise Denied(
            "The stored credential holds characters that a header cannot carry.",
            hint="Store it again: `taskpass credential add`, without line breaks.",
        )
    stand_in = release.surrogate.encode("latin-1")
    bound = (release.header or "authorization").lower().encode("latin-1")
    result: list[Field] = []
    known: tuple[bytes, ...] = ()
    for key, name, value in fields:
        if key == bound:
            changed = None if known else _replaced(key, value, stand_in, real)
            if changed is not None:
                known = (real, changed.rpartition(b" ")[2])
                result.append((key, name, changed))
        elif key == b"accept-encoding":
            result.append((key, name, b"identity"))
        elif key == b"sec-websocket-extensions":
            continue
        elif not is_credential(key) and stand_in not in value:
            result.append((key, name, value))
    if not known:
        raise Denied(
            f"The credential's stand-in was not sent in its own header ({bound.decode()}).",
            hint=f"Send it in `{bound.decode()}`.",
        )
    return result, known


def _replaced(key: bytes, value: bytes, stand_in: bytes, real: bytes) -> bytes | None:
    """`value` with the stand-in, where it is a whole credential, replaced; None without one."""
    if key == b"cookie":
        pairs = [pair.partition(b"=") for pair in value.split(b";")]
        if not any(text.strip() == stand_in for _, _, text in pairs):
            return None
        # Other cookies are credentials of their own.
        return b"; ".join(
            name.strip() + b"=" + real for name, _, text in pairs if text.strip() == stand_in
        )
    if value == stand_in:
        return real
    scheme, space, rest = value.partition(b" ")
    rest = rest.strip()
    if not space:
        return None
    if scheme.lower() == b"basic":
        user, colon, password = _decode(rest).partition(b":")
        if password == stand_in:
            return scheme + b" " + base64.b64encode(user + colon + real)
        if user == stand_in:
            return scheme + b" " + base64.b64encode(real + colon + password)
        return None
    return scheme + b" " + real if rest == stand_in else None
