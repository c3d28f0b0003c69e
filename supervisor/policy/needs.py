"""What a project says its tasks need: a proposal, in force where the person accepted it.

In `taskpass.toml`, at the top of the workspace:

    [[needs]]
    resource = "https://api.github.com/repos/acme/shop"   # a host, and whole segments of a path
    verbs = ["read", "write"]       # also "delete", or HTTP methods; none: whatever policy allows
    lifetime = 30                   # minutes from the task's start; none: as long as the task
    why = "open a draft pull request"

Keycard's `keycard.toml` says the same with less: each `[[credentials.NAME]]` has a `resource` and
an `env_var` (docs.keycard.ai). Whatever else such a file says, and one that cannot be read, is not
ours and asks for nothing.

Accepted needs become policies for tasks of that workspace: what they name may be used without a
question, for that long, and a credential is released for nothing else without one.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from supervisor.errors import PolicyError
from supervisor.model import Need
from supervisor.policy.source import Layer, PolicySource
from supervisor.policy.writing import either, quoted

KEYCARD = "keycard.toml"
SOURCE = "what you accepted of the project's needs"

_MOST = 50  # needs of one project: more are not read by anybody
_LONGEST = 200  # characters of a reason, or a path
_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
_CONDITIONS = {
    "read": (
        '((["GET", "HEAD", "OPTIONS"].contains(context.method) && '
        '!["mutation", "unknown"].contains(context.graphql)) || (context.method == "POST" && '
        '(["query", "subscription"].contains(context.graphql) || '
        'context.path like "*/git-upload-pack")))'
    ),
    "write": '["POST", "PUT", "PATCH"].contains(context.method)',
    "delete": 'context.method == "DELETE"',
}
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?")
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()+,;=:@-]+)*")
_KEYS = {"resource", "verbs", "lifetime", "why"}


def read_needs(entries: object, path: Path) -> tuple[Need, ...]:
    """The `[[needs]]` of a parsed `taskpass.toml`.

    Raises:
        PolicyError: naming the file, and which need is wrong.
    """
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise PolicyError(f"{path}: needs is a list of tables.", hint="Write [[needs]].")
    if len(entries) > _MOST:
        raise PolicyError(f"{path}: there are more than {_MOST} needs.", hint="Name fewer.")
    return tuple(_need(each, f"{path}: need {number}") for number, each in enumerate(entries, 1))


def keycard_needs(workspace: str) -> tuple[Need, ...]:
    """What a `keycard.toml` at the top of `workspace` names; nothing where it names nothing."""
    try:
        text = Path(workspace, KEYCARD).read_text("utf-8")
        groups = tomllib.loads(text).get("credentials", {})
        entries = [each for group in groups.values() for each in group]
        # A resource that is no host's is one of their own, which nothing here could give.
        needs = [_keycard(each) for each in entries if isinstance(each, dict)]
    except (OSError, ValueError, AttributeError, TypeError):
        return ()
    return tuple(need for need in needs if need)[:_MOST]


def _keycard(entry: dict[str, Any]) -> Need | None:
    variable = str(entry.get("env_var", ""))[:_LONGEST]
    try:
        host, path = _resource(entry.get("resource"), KEYCARD)
    except PolicyError:
        return None
    return Need(host, path, why=_one_line(f"{KEYCARD}, {variable}" if variable else KEYCARD))


def _need(entry: dict[str, Any], where: str) -> Need:
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise PolicyError(f"{where}: there is no {unknown[0]}.", hint=f"There are: {known}.")
    verbs, why, lifetime = (
        entry.get(k, d) for k, d in (("verbs", []), ("why", ""), ("lifetime", 0))
    )
    if not isinstance(verbs, list) or not all(v in (*_CONDITIONS, *_METHODS) for v in verbs):
        known = ", ".join((*_CONDITIONS, *_METHODS))
        raise PolicyError(f"{where}: verbs is a list of: {known}.", hint="Correct the value.")
    if not isinstance(why, str) or len(why) > _LONGEST:
        raise PolicyError(f"{where}: why is one line of text.", hint="Make it shorter.")
    number = isinstance(lifetime, int | float) and not isinstance(lifetime, bool)
    if not number or not 0 <= lifetime < 1e6 or ("lifetime" in entry and not lifetime):
        raise PolicyError(f"{where}: lifetime is minutes, above 0.", hint="Correct the value.")
    host, path = _resource(entry.get("resource"), where)
    return Need(host, path, tuple(verbs), lifetime * 60.0, _one_line(why))


def _resource(text: object, where: str) -> tuple[str, str]:
    """Host, with a port that is not 443, and path of `https://host/path` or `host/path`."""
    problem = PolicyError(
        f"{where}: {str(text)[:80]!r} is no resource.",
        hint="Write a host and, if it is for a part of it, a path: https://api.example.com/v1/x",
    )
    if not isinstance(text, str) or len(text) > _LONGEST:
        raise problem
    scheme, given, _ = text.partition("://")
    if given and scheme != "https":
        raise problem
    url = urlsplit(text if given else f"https://{text}")
    host, path = url.netloc.lower().removesuffix(":443"), url.path.rstrip("/")
    segments = path.split("/")
    if url.query or url.fragment or not _HOST.fullmatch(host) or not _PATH.fullmatch(path):
        raise problem
    if "." in segments or ".." in segments:
        raise problem
    return host, path


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()


def words(need: Need) -> str:
    """One need as a person decides about it."""
    verbs = ", ".join(need.verbs) or "as policy allows"
    span = f", for {need.lifetime / 60:g} min" if need.lifetime else ""
    why = f": {need.why}" if need.why else ""
    return f"{need.resource}{need.path}  {verbs}{span}{why}"


def digest(needs: Sequence[Need]) -> str:
    """ "sha256:<hex>" of what is asked for, "" for nothing: another wording is another proposal."""
    if not needs:
        return ""
    told = [[n.resource, n.path, list(n.verbs), n.lifetime, n.why] for n in needs]
    return f"sha256:{hashlib.sha256(json.dumps(told).encode()).hexdigest()}"


def sources(needs: Sequence[Need], max_age: float) -> tuple[PolicySource, ...]:
    """Accepted needs as policies, and what they leave as the project's.

    Args:
        max_age: of the task, seconds; a need's lifetime is counted from its start.
    """
    if not needs:
        return ()
    allowed = [
        f"@id({quoted(f'needs/{number}')})\n"
        f"@description({quoted(f'you accepted that this project needs it: {words(need)}')})\n"
        f'permit (principal, action == Action::"http", resource)\n'
        f"when {{ {_condition(need, max_age)} && !context.call.unread }};\n"
        for number, need in enumerate(needs, 1)
        if need.verbs
    ]
    named = either(_condition(need, max_age) for need in needs)
    rest = (
        '@id("needs/beyond")\n@ask("is not among what this project said it needs")\n'
        '@risk("medium")\npermit (principal, action == Action::"http", resource)\n'
        f'when {{ context.call.credential != "" && !({named}) }};\n'
    )
    return (
        *([PolicySource(SOURCE, "\n".join(allowed), Layer.ACCEPTED)] if allowed else []),
        PolicySource("what this project said it needs", rest, Layer.PROJECT),
    )


def _condition(need: Need, max_age: float) -> str:
    host, _, port = need.resource.partition(":")
    parts = [
        'context.call.credential != ""',
        f"context.host == {quoted(host)}",
        f"context.port == {port or 443}",
    ]
    if need.path:
        # Dots that a server may resolve lead elsewhere, however they are written.
        path = quoted(need.path)[1:-1]
        parts += [
            f'(context.path == "{path}" || context.path like "{path}/*" || '
            f'context.path like "{path}.git/*")',
            '!(context.path like "*/..*" || context.path like "*%2e*" || '
            'context.path like "*%2E*" || context.path like "*\\\\*")',
        ]
    if need.verbs:
        parts.append(f"({either(_verb(verb) for verb in need.verbs)})")
    if need.lifetime:
        left = max(0, int(max_age - need.lifetime))
        parts.append(f"context.call.budget.seconds > {left}")
    return " && ".join(parts)


def _verb(verb: str) -> str:
    return _CONDITIONS.get(verb) or f"context.method == {quoted(verb)}"


def ends(needs: Iterable[Need], resource: str, created: float, now: float) -> float:
    """When a grant over `resource` ends by what was accepted, POSIX seconds; infinity for never."""
    times = [
        created + need.lifetime for need in needs if need.resource == resource and need.lifetime
    ]
    return min((time for time in times if time > now), default=float("inf"))
