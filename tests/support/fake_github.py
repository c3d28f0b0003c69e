"""GitHub's API as documented, as far as our tests go: Apps, tokens, pulls, issues, GraphQL.

Sources: GitHub's REST documentation ("Apps", "Pulls", "Issues", "Troubleshooting"), its GraphQL
reference. Status codes, error bodies and headers are GitHub's; a JWT is verified, and permissions
are enforced, for what the routes here do. `answer` suits `FaultyUpstream`.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.faulty_upstream import Answer, Asked

_DOCS = "https://docs.github.com/rest"
_LEVELS = {"": 0, "read": 1, "write": 2, "admin": 3}


@cache
def app_key() -> tuple[str, str]:
    """Private and public key of the App, PEM; the private one as GitHub gives it (PKCS#1)."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@dataclass
class Token:
    """A token that GitHub knows. `repositories`: None for all."""

    login: str
    expires: float = float("inf")
    repositories: tuple[str, ...] | None = None  # "owner/name"
    permissions: Mapping[str, str] = field(default_factory=dict)
    personal: bool = False

    def may(self, repository: str, permission: str, level: str) -> bool:
        if self.personal:
            return True
        known = self.repositories is None or repository in self.repositories
        return known and _LEVELS[self.permissions.get(permission, "")] >= _LEVELS[level]


@dataclass
class FakeGitHub:
    """The service: one App with one installation, at `owner`.

    Attributes:
        clock: POSIX seconds by GitHub's clock.
        asked: permissions and repositories of each token that was asked for.
        done: what was changed: "issue TITLE", …
    """

    app: str = "123456"
    installation: int = 4711
    owner: str = "ana"
    repositories: tuple[str, ...] = ("app", "lib")
    permissions: Mapping[str, str] = field(
        default_factory=lambda: {
            "metadata": "read", "contents": "write", "issues": "write", "pull_requests": "read"
        }
    )  # fmt: skip
    clock: Callable[[], float] = time.time
    tokens: dict[str, Token] = field(default_factory=dict)
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def live(self) -> dict[str, float]:
        """Installation tokens that are good now, with their end by our clock."""
        ahead = self.clock() - time.time()
        return {
            token: known.expires - ahead
            for token, known in self.tokens.items()
            if not known.personal and known.expires > self.clock()
        }

    def token_of(self, authorization: str) -> Token | None:
        """Whom an Authorization header shows: `token X` and `Bearer X`, as GitHub takes them."""
        scheme, _, value = authorization.partition(" ")
        known = self.tokens.get(value.strip()) if scheme.lower() in ("token", "bearer") else None
        return known if known is not None and known.expires > self.clock() else None

    async def answer(self, asked: Asked) -> Answer:
        path = asked.path.removeprefix("/api/v3").replace("/api/graphql", "/graphql")
        if re.match(r"/app/|/repos/[^/]+/[^/]+/installation$", path):
            return self._as_app(asked, path)
        token = self.token_of(asked.headers.get("authorization", ""))
        if token is None:
            return refused(401, "Bad credentials")
        if path == "/graphql" and asked.method == "POST":
            return self._graphql(asked, token)
        if path == "/":
            return ok({}, scopes="repo, read:org" if token.personal else "")
        if path == "/user":
            if not token.personal:
                return refused(403, "Resource not accessible by integration")
            return ok({"login": token.login, "id": 1, "type": "User"}, scopes="repo, read:org")
        if path == "/installation/token" and asked.method == "DELETE":
            self.tokens = {k: v for k, v in self.tokens.items() if v is not token}
            return Answer(204)
        if path == "/installation/repositories":
            names = token.repositories or self._all()
            listed = [_repository(name) for name in names]
            return ok({"total_count": len(listed), "repositories": listed})
        if match := re.fullmatch(r"/repos/([^/]+/[^/]+)(?:/(pulls|issues))?", path):
            return self._in_repository(asked, token, match[1], match[2] or "")
        return refused(404, "Not Found")

    def _all(self) -> tuple[str, ...]:
        return tuple(f"{self.owner}/{name}" for name in self.repositories)

    def _as_app(self, asked: Asked, path: str) -> Answer:
        problem = self._jwt_problem(asked.headers.get("authorization", ""))
        if problem:
            return refused(401, problem)
        if match := re.fullmatch(r"/repos/([^/]+/[^/]+)/installation", path):
            if match[1] not in self._all():
                return refused(404, "Not Found")
            return ok({"id": self.installation, "account": {"login": self.owner}})
        if path != f"/app/installations/{self.installation}/access_tokens":
            return refused(404, "Not Found")
        wanted = asked.json() or {}
        names = wanted.get("repositories")
        permissions = wanted.get("permissions", self.permissions)
        if names is not None and not set(names) <= set(self.repositories):
            return refused(
                422, "There is at least one repository that does not exist or is not accessible "
                "to the parent installation.",
            )  # fmt: skip
        if any(_LEVELS[level] > _LEVELS[self.permissions.get(name, "")]
               for name, level in permissions.items()):  # fmt: skip
            return refused(422, "The permissions requested are not granted to this installation.")
        self.asked.append(wanted)
        return self._made(names, {"metadata": "read", **permissions})

    def _made(self, names: Iterable[str] | None, permissions: Mapping[str, str]) -> Answer:
        # As since 2026: the App's id and a JWT. Nobody should rely on that.
        token = f"ghs_{self.app}_{secrets.token_urlsafe(120)}.{secrets.token_urlsafe(30)}"
        expires = int(self.clock()) + 3600
        repositories = None if names is None else tuple(f"{self.owner}/{name}" for name in names)
        self.tokens[token] = Token(f"app/{self.app}", expires, repositories, permissions)
        content: dict[str, Any] = {
            "token": token,
            "expires_at": datetime.fromtimestamp(expires, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "permissions": dict(permissions),
            "repository_selection": "all" if repositories is None else "selected",
        }
        if repositories is not None:
            content["repositories"] = [_repository(name) for name in repositories]
        return ok(content, 201)

    def _jwt_problem(self, authorization: str) -> str:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return "A JSON web token could not be decoded"
        try:
            claims = jwt.decode(
                token, app_key()[1], algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False, "require": ["iss", "iat"]},
            )  # fmt: skip
        except jwt.InvalidTokenError:
            return "A JSON web token could not be decoded"
        now = self.clock()
        if claims["iss"] != self.app:
            return "Integration not found"
        if claims["iat"] > now + 5:
            return (
                "'Issued at' claim ('iat') must be an Integer representing the time that the "
                "assertion was issued"
            )
        if claims["exp"] <= now:
            return (
                "'Expiration time' claim ('exp') must be a numeric value representing the future "
                "time at which the assertion expires"
            )
        if claims["exp"] > now + 600:
            return "'Expiration time' claim ('exp') is too far in the future"
        return ""

    def _in_repository(self, asked: Asked, token: Token, repository: str, part: str) -> Answer:
        needed = {"": "metadata", "pulls": "pull_requests", "issues": "issues"}[part]
        level = "read" if asked.method == "GET" else "write"
        if not token.may(repository, "metadata", "read"):
            return refused(404, "Not Found")
        if not token.may(repository, needed, level):
            return refused(403, "Resource not accessible by integration")
        if asked.method == "POST" and part == "issues":
            title = asked.json()["title"]
            self.done.append(f"issue {title}")
            return ok({"number": 7, "title": title, "state": "open"}, 201)
        if part:
            return ok([{"number": 1, "title": f"First of {part}", "state": "open"}])
        return ok(_repository(repository))

    def _graphql(self, asked: Asked, token: Token) -> Answer:
        """What `gh pr list` and `gh auth status` ask, and one mutation."""
        content = asked.json()
        query, variables = content["query"], content.get("variables") or {}
        if "mutation" in query:
            self.done.append(f"graphql {variables.get('input', '')}")
            return ok({"data": {"createIssue": {"issue": {"number": 8}}}})
        if "pullRequests" in query:
            repository = f"{variables['owner']}/{variables['repo']}"
            if not token.may(repository, "pull_requests", "read"):
                return ok({"data": {"repository": None}, "errors": [{"type": "NOT_FOUND"}]})
            pull = {
                "number": 1, "title": "Mend the login", "state": "OPEN", "isDraft": False,
                "url": f"https://github.com/{repository}/pull/1", "headRefName": "mend",
                "headRepositoryOwner": {"id": "u", "login": "ana"}, "isCrossRepository": False,
                "createdAt": "2026-01-02T03:04:05Z",
            }  # fmt: skip
            page = {"hasNextPage": False, "endCursor": None}
            found = {"totalCount": 1, "nodes": [pull], "pageInfo": page}
            return ok({"data": {"repository": {"pullRequests": found}}})
        return ok({"data": {"viewer": {"login": token.login}}})


def _repository(name: str) -> dict[str, Any]:
    owner, _, short = name.partition("/")
    return {"id": 1, "name": short, "full_name": name, "private": True, "owner": {"login": owner}}


def ok(content: Any, status: int = 200, *, scopes: str = "") -> Answer:
    headers = {"x-github-media-type": "github.v3; format=json", "x-ratelimit-limit": "5000"}
    headers["x-ratelimit-remaining"] = "4999"
    if scopes:
        headers["x-oauth-scopes"] = scopes
    return Answer.of(content, status, **headers)


def refused(status: int, message: str) -> Answer:
    content = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    return Answer(
        status,
        json.dumps(content).encode(),
        {"content-type": "application/json; charset=utf-8", "x-github-media-type": "github.v3"},
    )
