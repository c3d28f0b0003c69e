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
from supervisor.client import AsyncClient
from supervisor.config import load_user_config
from supervisor.errors import UsageError
from supervisor.gateway import servers
from supervisor.gateway.signin import SignedIn, sign_in
from supervisor.oauth.material import SignIn
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
    signed = asyncio.run(sign_in(server.url, _show, tls, client_id=client_id, secret=secret))
    variable = server.bearer_token_env_var or f"MCP_{name.upper().replace('-', '_')}_TOKEN"
    asyncio.run(_keep(name, server.url, variable, signed))
    known = servers.read(file)
    servers.write(file, known | {name: replace(server, bearer_token_env_var=variable)})
    print(f"signed in; each call of {name} gets a token of its own, for {signed.resource}")
    return 0


async def _keep(name: str, url: str, variable: str, signed: SignedIn) -> None:
    credential = f"mcp-{name}"
    request = AddCredential(
        name=credential,
        issuer="oauth",
        hosts=(urlsplit(url).netloc.lower(),),
        env=variable,
        options={
            key: value
            for key, value in {
                "issuer": signed.issuer,
                "client_id": signed.client_id,
                "resource": signed.resource,
                "scope": signed.scope,
            }.items()
            if value
        },
        secret=SignIn(signed.refresh, signed.secret).text(),
    )
    client = AsyncClient()
    await client.connect()
    try:
        if any(each.name == credential for each in await client.credentials()):
            await client.remove_credential(credential, replaced=True)
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
