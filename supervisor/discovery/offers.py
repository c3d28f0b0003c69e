"""What can be lent of what was found, and under which name. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from supervisor.discovery.found import Found, Way

_GITHUB = "github.com"
# gh talks to the API and uploads release assets; git to the first (docs.github.com, "About GitHub's
# IP addresses" and the `upload_url` of a release).
_GITHUB_HOSTS = (_GITHUB, "api.github.com", "uploads.github.com")


@dataclass(frozen=True, slots=True)
class Offer:
    """One credential that may be added by reference.

    Attributes:
        hosts: that it is bound to.
        env: variable in which a task sees its stand-in.
        reference: where it is looked up at each use.
        what: what is done, for the undo journal.
    """

    name: str
    hosts: tuple[str, ...]
    env: str
    reference: str
    what: str
    header: str = "authorization"
    scheme: str = "Bearer"
    forge: str = ""  # what speaks there, where the name does not tell


def offer(found: Found) -> Offer | None:
    """The credential that would lend this log-in; None where it is not lent by reference."""
    if found.way is not Way.REFERENCE or not found.hosts:
        return None
    if found.kind == "environment":
        return _variable(found)
    host = found.hosts[0]
    public = host == _GITHUB
    return Offer(
        name="github" if public else f"github-{host.replace(':', '-')}"[:64],
        hosts=_GITHUB_HOSTS if public else (host,),
        env="GH_TOKEN" if public else "GH_ENTERPRISE_TOKEN",
        reference=found.reference,
        what=f"gh's log-in at {host} is lent to tasks",
        forge="" if public else "github",
    )


def _variable(found: Found) -> Offer:
    """Of the terminal: taken from it when a task starts, and never passed on."""
    variable = found.names[0]
    return Offer(
        name=re.sub(r"[^a-z0-9]+", "-", variable.lower()).strip("-")[:64],
        hosts=found.hosts,
        env=variable,
        reference=found.reference,
        what=f"{variable} of the terminal is lent to tasks",
        header=found.header,
        scheme=found.scheme,
    )
