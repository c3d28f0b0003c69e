"""`taskpass credential signin`: a sign-in at a provider becomes a credential.

The refresh token goes from here to the supervisor's vault and is never shown.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace

from supervisor.cli.browser import by_code, connected, known_client, sign_in
from supervisor.client_setup import SetupClient
from supervisor.errors import IssuerFailed, UsageError, VaultLocked
from supervisor.oauth import grants
from supervisor.oauth.http import Http
from supervisor.oauth.material import SignIn
from supervisor.oauth.provider import Provider, discover
from supervisor.oauth.refusal import Refused
from supervisor.oauth.signing_in import SignedIn, Wanted
from supervisor.protocol.credentials import RotateCredential
from supervisor.protocol.wire import AddCredential, CredentialView

_FAMILIES = ("oauth", "token-exchange")
_EXPIRING = "-expiring"
_VARIES = 1.5  # so much longer may another token live than the first: Entra ID draws lots
# What a later `signin NAME` takes over from the credential as it is.
_KEPT = ("issuer", "client_id", "scope", "read_scope", "resource", "audience", "details",
         "works_at", "lifetime", "revocation")  # fmt: skip


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="taskpass credential signin",
        description="Sign in at an OAuth or OpenID provider. Tasks are lent tokens of that "
        "sign-in, one for each call. For a credential that is there, only its name is needed.",
    )
    add = parser.add_argument
    # fmt: off
    add("name")
    add("--issuer", default="", metavar="URL", help="the provider: https://id.example.com")
    add("--host", action="append", default=[], metavar="HOST[:PORT]",
        help="where its tokens are good; may be given again")
    add("--env", default="", help="variable in which a task sees the stand-in")
    add("--client-id", default="", help="as registered there; without it, we register one")
    add("--client-secret", action="store_true",
        help="the client has a secret: asked for, or read from stdin")
    add("--scope", default="", help="what the tokens may do, as the provider calls it")
    add("--read-scope", default="", help="… for calls that only read")
    add("--resource", default="", metavar="URI", help="the service they are for (RFC 8707)")
    add("--exchange", action="store_true",
        help="for each call, exchange your token for one that names the agent (RFC 8693)")
    add("--audience", default="", help="with --exchange: as the provider calls the service")
    add("--details", default="", metavar="TYPE",
        help="with --exchange: authorization_details of this type, for method and path")
    add("--revocation", choices=("token", "none"), default="",
        help="token: each is ended at the provider after its call; none: they expire (default: "
        "tried out)")
    add("--lifetime", default="", metavar="SECONDS",
        help="how long its tokens live, where it does not say")
    add("--works-at", default="", metavar="URL",
        help="a GET that a good token opens, to see that an ended one does not")
    add("--ask", action="append", default=[], metavar="KEY=VALUE",
        help="what the provider's page wants besides, as access_type=offline")
    add("--device", action="store_true", help="by a code that you enter on another device")
    # fmt: on
    return parser


def main(words: list[str]) -> int:
    return asyncio.run(_main(parser().parse_args(words)))


async def _main(given: argparse.Namespace) -> int:
    client = SetupClient()
    await client.connect()
    try:
        if not (await client.vault()).protection:
            raise VaultLocked(
                "What a sign-in leaves could not be kept: the secrets are locked.",
                hint="Unlock them first: taskpass unlock, or log in to the desktop.",
            )
        before = next((c for c in await client.credentials() if c.name == given.name), None)
        asked = _request(given, before)
        async with connected() as http:
            request, who = await _signed_in(http, given, asked)
        if before is not None and _alike(before, request):
            await client.rotate_credential(given.name, RotateCredential(secret=request.secret))
            view = before
        else:
            if before is not None:
                await client.remove_credential(given.name, replaced=True)
            view = await client.add_credential(request)
    finally:
        await client.close()
    ends = "lives out its" if view.issuer.endswith(_EXPIRING) else "is ended there within"
    print(
        f"signed in{who}; tasks are lent {view.name} at {', '.join(view.hosts)}.\n"
        f"Each call gets a token of its own, which {ends} {view.kill_bound:g} s."
    )
    if view.issuer.startswith(_FAMILIES[1]):
        print("The provider needs our keys to know the agents: taskpass credential jwks")
    return 0


def _alike(before: CredentialView, asked: AddCredential) -> bool:
    """Whether only the sign-in itself is another: what lies in the vault is replaced then."""
    return (before.issuer, before.hosts, before.env, before.options) == (
        asked.issuer, asked.hosts, asked.env, asked.options
    )  # fmt: skip


def _request(given: argparse.Namespace, before: CredentialView | None) -> AddCredential:
    """What was asked for, with the rest as it was. Raises UsageError."""
    family = _FAMILIES[given.exchange]
    kept: dict[str, str] = {}
    if before is not None:
        if not before.issuer.startswith(_FAMILIES):
            raise UsageError(
                f"{given.name} is a credential without a sign-in ({before.issuer}).",
                hint="Choose another name.",
            )
        family = family if given.exchange else before.issuer.removesuffix(_EXPIRING)
        kept = {name: text for name, text in before.options.items() if name in _KEPT}
    said = {name: getattr(given, name) for name in _KEPT if getattr(given, name)}
    options = kept | said
    hosts = tuple(given.host) or (before.hosts if before else ())
    if not options.get("issuer") or not hosts:
        raise UsageError(
            "A sign-in needs the provider and a host where its tokens are good.",
            hint=f"taskpass credential signin {given.name} --issuer https://id.example.com "
            "--host api.example.com",
        )
    if options.get("lifetime") and not options["lifetime"].isdigit():
        raise UsageError("The lifetime is a number of seconds.", hint="--lifetime 3600")
    return AddCredential(
        name=given.name,
        issuer=family,
        hosts=hosts,
        env=given.env or (before.env if before else ""),
        options=options,
    )


async def _signed_in(
    http: Http, given: argparse.Namespace, asked: AddCredential
) -> tuple[AddCredential, str]:
    """The credential with the sign-in's material, and " as NAME"."""
    options = dict(asked.options)
    provider = await discover(http, options["issuer"])
    options["issuer"] = provider.issuer
    client = known_client(provider, options.get("client_id", ""), with_secret=given.client_secret)
    exchange = asked.issuer == _FAMILIES[1]  # then scope and resource are what is exchanged for
    wanted = Wanted(
        _scopes(provider, {} if exchange else options),
        "" if exchange else options.get("resource", ""),
        _pairs(given.ask),
    )
    device = by_code(provider, asked=given.device)
    while True:
        signed = await sign_in(http, provider, client, wanted, device=device)
        client = signed.client
        options["client_id"] = client.id
        if not signed.tokens.refresh:
            raise IssuerFailed(
                f"{provider.host} gave no refresh token, so there is nothing to keep.",
                hint="Ask for it as it wants that: --scope offline_access, or "
                "--ask access_type=offline.",
            )
        tried = await try_out(http, provider, signed, options, exchange=exchange)
        if tried is not None:
            break
        options["revocation"] = "none"
        print(
            f"{provider.host} ends the whole sign-in with any one token, so its tokens will "
            "live out their time. Sign in once more:",
            flush=True,
        )
    who = f" at {provider.host}" + (f" as {signed.person.name}" if signed.person else "")
    issuer = asked.issuer + (_EXPIRING if options.get("revocation") == "none" else "")
    return _with(asked, issuer, options, tried), who


async def try_out(
    http: Http, provider: Provider, signed: SignedIn, options: dict[str, str], *, exchange: bool
) -> SignIn | None:
    """See what the provider does with a refresh, and with a token that is ended.

    Returns:
        What is to be kept; None when ending one token has ended the sign-in.
    """
    scope, resource, client = options.get("scope", ""), options.get("resource", ""), signed.client
    first = await grants.by_refresh(
        http, provider, client, signed.tokens.refresh,
        scope="" if exchange else scope, resource="" if exchange else resource,
    )  # fmt: skip
    material = SignIn(
        first.refresh or signed.tokens.refresh,
        client.secret,
        rotates=first.refresh not in ("", signed.tokens.refresh),
    )
    if exchange:  # what an exchanged token is like shows at the first exchange
        return material
    if not options.get("revocation"):
        offline = grants.is_jwt(first.access) or not provider.revocation_endpoint
        options["revocation"] = "none" if offline else "token"
        if not offline:
            await grants.revoke(http, provider.revocation_endpoint, client, first.access)
            try:
                second = await grants.by_refresh(
                    http, provider, client, material.refresh_token, scope=scope, resource=resource
                )
            except Refused as no:
                if no.error != "invalid_grant":
                    raise
                return None
            await grants.revoke(http, provider.revocation_endpoint, client, second.access)
            material = replace(material, refresh_token=second.refresh or material.refresh_token)
    if options["revocation"] == "none" and first.lifetime:
        options.setdefault("lifetime", f"{first.lifetime * _VARIES:.0f}")
    return material


def _with(
    asked: AddCredential, issuer: str, options: dict[str, str], material: SignIn
) -> AddCredential:
    return AddCredential(
        name=asked.name,
        issuer=issuer,
        hosts=asked.hosts,
        env=asked.env,
        options=options,
        secret=material.text(),
    )


def _scopes(provider: Provider, options: dict[str, str]) -> str:
    """What is asked for, and where it has a name, that the sign-in lasts."""
    wanted = f"{options.get('scope', '')} {options.get('read_scope', '')}".split()
    if "offline_access" in provider.scopes:
        wanted = ["openid", "offline_access", *wanted]
    return " ".join(dict.fromkeys(wanted))


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if not all(key and equals for key, equals, _ in pairs):
        raise UsageError("What the page is asked is written KEY=VALUE.", hint="--ask key=value")
    return {key: value for key, _, value in pairs}
