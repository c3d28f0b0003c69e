"""Installation tokens of a GitHub App: for one repository, with the permissions of one use.

The App's private key stays in the vault and signs a JWT for each request (RS256, ten minutes at
most). A token lives for an hour by GitHub's word; it is deleted when the call ends. What it looks
like is GitHub's affair: its format has changed before.

Options of a credential:

    app            the App's id or client id
    installation   the installation's id; else it is looked up for the repository
    api            default https://api.github.com; of an Enterprise Server https://HOST/api/v3
    permissions    the most that is asked for: contents=write,pull_requests=write
    repositories   of the installation, by name: app,lib; default: any

Source: GitHub's REST documentation, "Generating a JSON Web Token (JWT) for a GitHub App",
"Create an installation access token for an app", "Revoke an installation access token".
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from supervisor.errors import Denied, IssuerFailed, UsageError
from supervisor.issuers import github_permissions as permissions
from supervisor.issuers.github_permissions import Needed
from supervisor.issuers.scope import require_bound_request
from supervisor.model import CredentialSpec, KillMode
from supervisor.oauth.http import Answer, Http
from supervisor.ports import Issuer, Kind, MintContext, Minted, Secret, Vault

DEFAULT_API = "https://api.github.com"
ENDED_WITHIN = 10.0  # seconds for GitHub's confirmation
_LIFETIME = 3600.0  # seconds, as documented
_JWT_LIFETIME = 540  # seconds; at most 600 are taken
_BACK = 60  # seconds: clocks differ (as the documentation advises)
_OFF = 20.0  # seconds by which our clock may be off before a refusal is put down to it
_LEFT = 60.0  # seconds that a token must still live to be used again


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    needed: Needed
    minted: Minted


class GitHubAppIssuer(Issuer):
    """See the module.

    Args:
        http: made when it is first needed.
        clock: POSIX seconds.
    """

    name = "github-app"
    kill_mode = KillMode.UPSTREAM

    def __init__(
        self, vault: Vault, http: Callable[[], Http], clock: Callable[[], float] = time.time
    ) -> None:
        self._vault = vault
        self._make_http = http
        self._http: Http | None = None
        self._clock = clock
        self._ahead: dict[str, float] = {}  # by API: seconds that its clock is ahead of ours
        self._installations: dict[tuple[str, str], str] = {}  # (credential, "O/R") → id
        self._kept: dict[str, list[_Kept]] = {}  # by lease

    def kind(self) -> Kind:
        return Kind(
            name=self.name,
            title="an installation token of a GitHub App, made for one call and deleted after it",
            resource="repository",
            verb="permissions by path, read or write by method",
            lifetime="the call; 1 h where GitHub cannot be told",
            kill_mode=self.kill_mode,
            bound=f"0.1 s on the wire; deleted at GitHub within {ENDED_WITHIN:g} s",
        )

    def kill_bound(self, spec: CredentialSpec) -> float:
        return ENDED_WITHIN

    def lifetime(self, spec: CredentialSpec) -> float:
        return _LIFETIME

    async def prepare(self, spec: CredentialSpec) -> CredentialSpec:
        if not spec.options.get("app"):
            raise UsageError(
                f"{spec.name} needs to know its App.", hint="Add --option app=ID (or client id)."
            )
        _api(spec)
        _most(spec)
        return spec

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        require_bound_request(spec, context.effect)
        needed = permissions.needed(context.effect, _most(spec))
        _check(spec, needed)
        self._forget_expired()
        for kept in self._kept.get(context.lease, ()):
            if kept.needed == needed and kept.minted.expires - self._clock() > _LEFT:
                return kept.minted
        minted = await self._make(spec, needed)
        self._kept.setdefault(context.lease, []).append(_Kept(needed, minted))
        return minted

    async def _make(self, spec: CredentialSpec, needed: Needed) -> Minted:
        api = _api(spec)
        content: dict[str, Any] = {}
        if needed.repository:
            content["repositories"] = [needed.repository]
        elif spec.options.get("repositories"):
            content["repositories"] = _listed(spec)
        if needed.permissions is not None:
            content["permissions"] = dict(needed.permissions)
        installation = await self._installation(spec, needed)
        path = f"/app/installations/{installation}/access_tokens"
        answer = await self._as_app(
            spec, lambda token: self._connected().post_json(api + path, content, bearer=token)
        )
        if answer.status == 422:
            raise Denied(
                f"The GitHub App of {spec.name} may not do this: {needed.label}.",
                hint="Give it the permission on GitHub, or the repository to its installation.",
            )
        if answer.status != 201:
            raise _failed(spec, answer)
        token = answer.text("token")
        if not token:
            raise IssuerFailed(f"{answer.host} made a token for {spec.name} and does not show it.")
        minted = Minted(Secret(token), self._expiry(api, answer), json.dumps([token, api]))
        if not _is_for(answer, needed):
            await self.revoke(spec, minted.revocation)
            raise Denied(
                f"The installation of {spec.name} is not the one of {needed.label}.",
                hint="Name another one: --option installation=ID, owner=NAME.",
            )
        return minted

    async def _installation(self, spec: CredentialSpec, needed: Needed) -> str:
        named = spec.options.get("installation", "")
        if named:
            return named
        where = f"{needed.owner}/{needed.repository}"
        if (known := self._installations.get((spec.name, where))) is not None:
            return known
        if not needed.repository:
            raise Denied(
                f"{spec.name} does not tell for which installation this is.",
                hint="A person adds it: --option installation=ID",
            )
        url = f"{_api(spec)}/repos/{where}/installation"
        answer = await self._as_app(spec, lambda token: self._connected().get(url, bearer=token))
        if answer.status == 404:
            raise Denied(
                f"The GitHub App of {spec.name} is not installed at {where}.",
                hint="Install it there, or use another credential.",
            )
        found = answer.body.get("id")
        if answer.status != 200 or not isinstance(found, int):
            raise _failed(spec, answer)
        self._installations[spec.name, where] = str(found)
        return str(found)

    async def _as_app(self, spec: CredentialSpec, ask: Callable[[str], Any]) -> Answer:
        """Ask with a JWT of the App; once more where only our clock was wrong."""
        api = _api(spec)
        key = await self._key(spec)
        for last in (False, True):
            ahead = self._ahead.get(api, 0.0)
            answer: Answer = await ask(self._signed(spec, key, ahead))
            if answer.date:
                self._ahead[api] = answer.date - self._clock()
            if answer.status != 401 or last or abs(self._ahead.get(api, 0.0) - ahead) < _OFF:
                break
        return answer

    async def _key(self, spec: CredentialSpec) -> RSAPrivateKey:
        secret = await self._vault.secret(spec.name)
        try:
            key = load_pem_private_key(secret.value.encode(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise IssuerFailed(
                f"What is stored for {spec.name} is no RSA private key in PEM form.",
                hint=f"Store the App's key again: taskpass credential rotate {spec.name}",
                unclear=False,
            )
        return key

    def _signed(self, spec: CredentialSpec, key: RSAPrivateKey, ahead: float) -> str:
        now = int(self._clock() + ahead)
        claims = {"iss": spec.options["app"], "iat": now - _BACK, "exp": now + _JWT_LIFETIME}
        return jwt.encode(claims, key, algorithm="RS256")

    def _expiry(self, api: str, answer: Answer) -> float:
        """By our clock; 0 where it is not told."""
        try:
            told = datetime.fromisoformat(answer.text("expires_at"))
            seconds = told.timestamp() if told.tzinfo is not None else 0.0
        except (ValueError, OverflowError):
            seconds = 0.0
        return seconds - self._ahead.get(api, 0.0) if seconds else 0.0

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        for lease, kept in list(self._kept.items()):
            left = [each for each in kept if each.minted.revocation != revocation]
            if left:
                self._kept[lease] = left
            else:
                del self._kept[lease]
        if (parts := _parts(revocation)) is None:
            return
        token, api = parts
        answer = await self._connected().delete(f"{api}/installation/token", bearer=token)
        if answer.status not in (204, 401):
            raise IssuerFailed(
                f"{answer.host} does not confirm the end of a token ({answer.status}).",
                hint="It is tried again.",
            )

    async def works(self, spec: CredentialSpec, revocation: str) -> bool | None:
        if (parts := _parts(revocation)) is None:
            return None
        token, api = parts
        url = f"{api}/installation/repositories?per_page=1"
        answer = await self._connected().get(url, bearer=token)
        return {200: True, 401: False}.get(answer.status)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    def _connected(self) -> Http:
        if self._http is None:
            self._http = self._make_http()
        return self._http

    def _forget_expired(self) -> None:
        now = self._clock()
        for lease, kept in list(self._kept.items()):
            if all(each.minted.expires <= now for each in kept):
                del self._kept[lease]


def _parts(revocation: str) -> tuple[str, str] | None:
    """Token and API, as `_make` put them together."""
    try:
        token, api = json.loads(revocation)
    except (ValueError, TypeError):
        return None
    return (token, api) if isinstance(token, str) and isinstance(api, str) else None


def _failed(spec: CredentialSpec, answer: Answer) -> IssuerFailed:
    why = {
        401: ("does not take the App's key or id", "Is it the key of this App, and not deleted?"),
        403: ("refuses the App, or its limit of requests is reached", "Try again later."),
        404: ("knows no such installation of the App", "Was it removed or suspended?"),
    }
    said, hint = why.get(answer.status, (f"answers {answer.status}", "Try again later."))
    # What GitHub refuses it has not done; of anything else nobody knows.
    unclear = not 400 <= answer.status < 500
    return IssuerFailed(f"{answer.host} {said} ({spec.name}).", hint=hint, unclear=unclear)


def _is_for(answer: Answer, needed: Needed) -> bool:
    """Whether the token opens the repository that was asked about, and no other."""
    if not needed.repository:
        return True
    told = answer.body.get("repositories")
    names = [each.get("full_name") for each in told or () if isinstance(each, Mapping)]
    wanted = f"{needed.owner}/{needed.repository}".lower()
    return [str(name).lower() for name in names] == [wanted]


def _check(spec: CredentialSpec, needed: Needed) -> None:
    listed = _listed(spec)
    owner = spec.options.get("owner", "")
    elsewhere = bool(owner) and needed.owner.lower() != owner.lower()
    if needed.repository and (elsewhere or (listed and needed.repository.lower() not in listed)):
        raise Denied(
            f"{spec.name} is not for {needed.owner}/{needed.repository}.",
            hint="Use a credential that is, or ask a person to add the repository.",
        )
    if not permissions.within(needed.permissions, _most(spec)):
        raise Denied(
            f"{spec.name} may not be used for this: {needed.label}.",
            hint=f"It is for: {spec.options['permissions']}.",
        )


def _listed(spec: CredentialSpec) -> list[str]:
    names = spec.options.get("repositories", "").lower().split(",")
    return [name.strip().rpartition("/")[2] for name in names if name.strip()]


def _most(spec: CredentialSpec) -> Mapping[str, str] | None:
    try:
        return permissions.parse(spec.options.get("permissions", ""))
    except ValueError as error:
        raise UsageError(
            f"{spec.name} has permissions that cannot be read: {error}.",
            hint="Write them as contents=write,issues=read.",
        ) from None


def _api(spec: CredentialSpec) -> str:
    api = spec.options.get("api", DEFAULT_API).rstrip("/")
    parts = urlsplit(api)
    if parts.scheme != "https" or not parts.netloc or "@" in parts.netloc or parts.query:
        raise UsageError(
            f"{spec.name} has an API address that cannot be used: {api[:100]!r}.",
            hint="Write it as https://api.github.com, or https://HOST/api/v3.",
        )
    return api
