"""`taskpass mcp signin`: a sign-in at a listed MCP server becomes its credential."""

from __future__ import annotations

import asyncio
import os
import threading
import webbrowser
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from supervisor.channels.http.dial import upstream_context
from supervisor.cli.browser import connected
from supervisor.cli.credentials.signin import try_out
from supervisor.client import AsyncClient
from supervisor.config import load_user_config
from supervisor.errors import UsageError
from supervisor.gateway import servers
from supervisor.gateway.servers import Server
from supervisor.gateway.signin import SignedIn, sign_in
from supervisor.oauth.client import client_of
from supervisor.oauth.grants import Tokens
from supervisor.oauth.provider import discover
from supervisor.oauth.signing_in import SignedIn as Entered
from supervisor.protocol.wire import AddCredential


def run(name: str, client_id: str, *, with_secret: bool, file: Path, config: Path) -> int:
    """Sign in at the server `name` and bind what it leaves to it.

    Raises:
        UsageError: it has no address.
        IssuerFailed, TimedOut: nobody is signed in.
    """
    server = servers.find(file, name)
    if not server.url:
        raise UsageError(
            f"{name} is a program: there is nowhere to sign in.",
            hint="Bind a credential to its variable: taskpass credential add … --env VARIABLE.",
        )
    secret = _secret() if with_secret else ""
    tls = upstream_context(load_user_config(config).extra_roots or None)
    variable = server.bearer_token_env_var or f"MCP_{name.upper().replace('-', '_')}_TOKEN"

    async def signed_in() -> str:
        revocation = ""
        while True:
            signed = await sign_in(server.url, _show, tls, client_id=client_id, secret=secret)
            request = await _credential(server, variable, signed, revocation)
            if request is not None:
                await _keep(request)
                return signed.resource
            revocation = "none"
            print("It ends the whole sign-in with any one token. Sign in once more:", flush=True)

    resource = asyncio.run(signed_in())
    known = servers.read(file)
    servers.write(file, known | {name: replace(server, bearer_token_env_var=variable)})
    print(f"signed in; each call of {name} gets a token of its own, for {resource}")
    return 0


async def _credential(
    server: Server, variable: str, signed: SignedIn, revocation: str
) -> AddCredential | None:
    """What the vault is to keep; None where trying it out has ended the sign-in."""
    options = {
        "issuer": signed.issuer,
        "client_id": signed.client_id,
        "resource": signed.resource,
        "scope": signed.scope,
        "revocation": revocation,
    }
    options = {key: value for key, value in options.items() if value}
    async with connected() as http:
        provider = await discover(http, signed.issuer)
        client = client_of(provider, signed.client_id, signed.secret)
        tokens = Tokens("", refresh=signed.refresh)
        entered = Entered(client, tokens, None)
        material = await try_out(http, provider, entered, options, exchange=False)
    if material is None:
        return None
    expiring = "-expiring" if options.get("revocation") == "none" else ""
    return AddCredential(
        name=f"mcp-{server.name}",
        issuer=f"oauth{expiring}",
        hosts=(urlsplit(server.url).netloc.lower(),),
        env=variable,
        options=options,
        secret=material.text(),
    )


async def _keep(request: AddCredential) -> None:
    client = AsyncClient()
    await client.connect()
    try:
        if any(each.name == request.name for each in await client.credentials()):
            await client.remove_credential(request.name, replaced=True)
        await client.add_credential(request)
    finally:
        await client.close()


def _show(url: str) -> None:
    print(f"Sign in, on this machine:\n\n  {url}\n", flush=True)
    # Some browsers return when they are closed: nobody waits for them.
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _secret() -> str:
    import getpass
    import sys

    given = getpass.getpass("Secret of the client: ") if os.isatty(0) else sys.stdin.readline()
    if not given.strip():
        raise UsageError("The client's secret is empty; nothing was signed in.")
    return given.strip()
