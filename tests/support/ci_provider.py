"""The OIDC providers of the four CI systems: claims as documented, signed by keys made here."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "taskpass"
ORGANIZATION = "6b0c1b6e-3f5d-4a43-9a5f-0a1c9d1d6a11"
ISSUERS = {
    "github-actions": "https://token.actions.githubusercontent.com",
    "gitlab": "https://gitlab.com",
    "circleci": f"https://oidc.circleci.com/org/{ORGANIZATION}",
    "buildkite": "https://agent.buildkite.com",
}
CLAIMS: dict[str, dict[str, Any]] = {
    "github-actions": {
        "sub": "repo:acme/shop:ref:refs/heads/main",
        "repository": "acme/shop",
        "repository_id": "7110042",
        "repository_owner": "acme",
        "repository_owner_id": "51",
        "ref": "refs/heads/main",
        "ref_protected": "true",
        "run_id": "9001",
        "run_attempt": "2",
        "event_name": "push",
        "runner_environment": "github-hosted",
        "workflow_ref": "acme/shop/.github/workflows/agent.yml@refs/heads/main",
    },
    "gitlab": {
        "sub": "project_path:acme/shop:ref_type:branch:ref:main",
        "project_id": "22",
        "project_path": "acme/shop",
        "namespace_id": "72",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "ref_protected": "true",
        "runner_environment": "gitlab-hosted",
    },
    "circleci": {
        "sub": f"org/{ORGANIZATION}/project/p1/user/u1",
        "oidc.circleci.com/project-id": "0a9f8c1e-2b4d-4f7a-8a35-5f40e3b8e0aa",
        "oidc.circleci.com/vcs-origin": "github.com/acme/shop",
        "oidc.circleci.com/vcs-ref": "refs/heads/main",
        "oidc.circleci.com/context-ids": [],
        "oidc.circleci.com/ssh-rerun": False,
    },
    "buildkite": {
        "sub": "organization:acme:pipeline:shop:ref:refs/heads/main:commit:9f3182:step:build",
        "organization_slug": "acme",
        "organization_id": "018e5a22-d14c-7085-bb28-db0f83f43a1c",
        "pipeline_slug": "shop",
        "pipeline_id": "0191c8a7-3a1b-4d14-9c0a-3ab2d7c0be71",
        "build_number": 12,
        "build_branch": "main",
        "job_id": "0184990a-477b-4fa8-9968-496074483cee",
        "agent_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
    },
}


@dataclass
class CiProvider:
    """One system's provider."""

    system: str
    issuer: str = ""
    kid: str = "key-1"
    key: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    asked: list[str] = field(default_factory=list)  # URLs of keys

    def __post_init__(self) -> None:
        self.issuer = self.issuer or ISSUERS[self.system]

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a job of now is given; a change to None leaves the claim out."""
        now = int(time.time())
        made = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "iat": now,
            "nbf": now - 5,
            "exp": now + 300,
            "jti": "j-1",
            **CLAIMS[self.system],
            **{name.replace("circleci_", "oidc.circleci.com/"): v for name, v in changes.items()},
        }
        return {name: value for name, value in made.items() if value is not None}

    def token(self, claims: Mapping[str, Any] | None = None, **head: Any) -> str:
        return jwt.encode(
            dict(claims or self.claims()), self.key, "RS256", headers={"kid": self.kid, **head}
        )

    def jwks(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}

    async def keys(self, url: str) -> Mapping[str, Any]:
        self.asked.append(url)
        return self.jwks()


def with_hmac(provider: CiProvider) -> str:
    """A token whose HMAC key is the public RSA key, which everybody knows."""
    public = base64.b64encode(str(provider.jwks()["keys"][0]["n"]).encode())
    return jwt.encode(provider.claims(), public, "HS256", headers={"kid": provider.kid})


class CiServer:
    """A provider over TLS: its keys, and GitHub's service that gives a job its token."""

    bearer = "runner-bearer-2mV9xQ7tLp"

    def __init__(self, system: str, authority: trustme.CA) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        self.changes: dict[str, Any] = {}  # of the claims of tokens to come
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = outer._answer(self.path, self.headers.get("authorization", ""))
                self.send_response(200 if answer else 403)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *words: object) -> None:
                """The test says what went wrong."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self._server.server_address[1]}"
        issuer = f"{self.url}/org/{ORGANIZATION}" if system == "circleci" else self.url
        self.provider = CiProvider(system, issuer=issuer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def configured(self) -> str:
        """As `ci.issuer` names it."""
        return f"{self.url}/org" if self.provider.system == "circleci" else self.url

    def token(self) -> str:
        return self.provider.token(self.provider.claims(**self.changes))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, target: str, authorization: str) -> dict[str, Any]:
        parts = urlsplit(target)
        if parts.path.endswith(("jwks", "keys", "jwks-pub.json")):
            return self.provider.jwks()
        asked = parse_qs(parts.query)
        if authorization != f"Bearer {self.bearer}" or asked.get("audience") != [AUDIENCE]:
            return {}
        return {"value": self.token()}
