"""What a request to GitHub needs: which repository, and which permissions there. Pure.

Sources: "Permissions required for GitHub Apps" and "Generating an installation access token for a
GitHub App" in GitHub's REST documentation; git's own paths, gitprotocol-http(5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from supervisor.model import Effect

READ, WRITE = "read", "write"
_LEVELS = (READ, WRITE, "admin")
_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_GIT = re.compile(
    r"/([^/]+)/([^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack|info/lfs(?:/.*)?)"
)
_REST = re.compile(r"(?:/api/v3)?/repos/([^/]+)/([^/]+)(?:/(.*))?")
_GRAPHQL = frozenset({"/graphql", "/api/graphql"})

# First word of a path below a repository → the permission that it is under.
_BY_WORD: Mapping[str, str] = {
    "": "metadata", "topics": "metadata", "languages": "metadata", "contributors": "metadata",
    "stargazers": "metadata", "forks": "metadata", "teams": "metadata", "license": "metadata",
    "contents": "contents", "git": "contents", "commits": "contents", "branches": "contents",
    "compare": "contents", "tarball": "contents", "zipball": "contents", "readme": "contents",
    "releases": "contents", "merges": "contents", "tags": "contents", "dispatches": "contents",
    "merge-upstream": "contents", "comments": "contents",
    "pulls": "pull_requests",
    "issues": "issues", "labels": "issues", "milestones": "issues", "assignees": "issues",
    "actions": "actions", "check-runs": "checks", "check-suites": "checks",
    "statuses": "statuses", "deployments": "deployments", "environments": "environments",
    "hooks": "repository_hooks", "pages": "pages", "code-scanning": "security_events",
    "dependabot": "vulnerability_alerts", "keys": "administration",
    "collaborators": "administration", "invitations": "administration",
    "rulesets": "administration", "transfer": "administration",
}  # fmt: skip
# Of /repos/O/R/commits/REF/WORD, which the first word does not tell.
_OF_COMMIT = {"check-runs": "checks", "check-suites": "checks", "status": "statuses",
              "statuses": "statuses", "pulls": "pull_requests"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Needed:
    """What a token has to open. `permissions`: None for all that the App has.

    `owner` and `repository` are "" where the request is about no one repository.
    """

    owner: str = ""
    repository: str = ""
    permissions: Mapping[str, str] | None = None

    @property
    def label(self) -> str:
        told = ", ".join(f"{name}: {level}" for name, level in (self.permissions or {}).items())
        where = f"{self.owner}/{self.repository}" if self.repository else "the installation"
        return f"{where} ({told})" if told else where


def needed(effect: Effect, most: Mapping[str, str] | None) -> Needed:
    """The least that `effect` needs.

    Args:
        most: the permissions that may be asked for at all, None for any.
    """
    path = str(effect.attributes.get("path", ""))
    reads = effect.attributes.get("method") in _READS
    if (match := _GIT.fullmatch(path)) is not None:
        return Needed(match[1], match[2], _for_git(match[3], effect, most))
    if (match := _REST.fullmatch(path)) is not None:
        found = _for_path(match[3] or "", most)
        level = READ if reads else WRITE
        permissions = {found: level} if found else _all(most, reads)
        return Needed(match[1], match[2], permissions)
    if path in _GRAPHQL:
        reads = effect.attributes.get("graphql") in ("query", "subscription")
    return Needed(permissions=_all(most, reads))


def _for_git(service: str, effect: Effect, most: Mapping[str, str] | None) -> Mapping[str, str]:
    pushes = service == "git-receive-pack" or effect.attributes.get("service") == "git-receive-pack"
    if service.startswith("info/lfs") and effect.attributes.get("method") not in _READS:
        pushes = effect.attributes.get("lfs") != "download"
    permissions = {"contents": WRITE if pushes else READ}
    if pushes and (most or {}).get("workflows") == WRITE:
        permissions["workflows"] = WRITE  # or a push that changes one is refused
    return permissions


def _for_path(rest: str, most: Mapping[str, str] | None) -> str:
    """The permission for `/repos/O/R/rest`, "" where it is not known."""
    words = rest.split("/")
    found = _BY_WORD.get(words[0], "")
    if words[0] == "commits" and len(words) > 2:
        found = _OF_COMMIT.get(words[2], found)
    if words[:2] == ["actions", "secrets"]:
        found = "secrets"
    if found == "issues" and most is not None and found not in most and "pull_requests" in most:
        found = "pull_requests"  # whose comments and labels are an issue's
    return found


def _all(most: Mapping[str, str] | None, reads: bool) -> Mapping[str, str] | None:
    if most is None:
        return None
    return {name: READ if reads else level for name, level in most.items()}


def within(permissions: Mapping[str, str] | None, most: Mapping[str, str] | None) -> bool:
    """Whether no more is asked for than may be. Reading metadata always may."""
    if most is None or permissions is None:
        return True
    allowed = {"metadata": READ, **most}
    return all(
        name in allowed and _LEVELS.index(level) <= _LEVELS.index(allowed[name])
        for name, level in permissions.items()
    )


def parse(text: str) -> Mapping[str, str] | None:
    """`contents=write,issues=read` → a mapping; None for an empty text.

    Raises:
        ValueError: it is not written so.
    """
    if not text.strip():
        return None
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, level = part.strip().partition("=")
        if not re.fullmatch(r"[a-z_]{2,64}", name) or level not in _LEVELS or name in found:
            raise ValueError(part.strip())
        found[name] = level
    return found
