"""A person signs in at a provider from this terminal: in a browser here, or by a code elsewhere."""

from __future__ import annotations

import getpass
import os
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from supervisor.channels.http import upstream
from supervisor.channels.http.dial import upstream_context
from supervisor.config import load_user_config
from supervisor.errors import UsageError
from supervisor.oauth.client import Client, client_of
from supervisor.oauth.http import Http
from supervisor.oauth.provider import Provider
from supervisor.oauth.signing_in import DeviceCode, SignedIn, Wanted, with_browser, with_device
from supervisor.own_way import OwnWay
from supervisor.paths import user_paths


@asynccontextmanager
async def connected() -> AsyncIterator[Http]:
    """Connections as the person's configuration, else their variables, say.

    Raises:
        ConfigError, UsageError: these cannot be used.
    """
    config = load_user_config(user_paths().config / "config.toml")
    way = OwnWay(config)
    way.learn(upstream.from_environment(os.environ))
    http = Http(partial(upstream_context, config.extra_roots or None), via=way.via)
    try:
        yield http
    finally:
        await http.close()


def has_browser(environ: Mapping[str, str]) -> bool:
    """Whether a page that is opened here is seen by who sits at this terminal."""
    if any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")):
        return False
    shows = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    return sys.platform == "darwin" or any(environ.get(name) for name in shows)


def by_code(provider: Provider, *, asked: bool) -> bool:
    """Whether to sign in on another device: as asked for, and where there is no browser here."""
    return asked or (not has_browser(os.environ) and bool(provider.device_authorization_endpoint))


def known_client(provider: Provider, client_id: str, *, with_secret: bool) -> Client | None:
    """The client that the person has registered; None where the provider registers one for us.

    Raises:
        UsageError: there is none, and nobody to ask.
    """
    if not client_id:
        if provider.registration_endpoint and not with_secret:
            return None
        if not sys.stdin.isatty():
            raise UsageError(
                f"{provider.host} wants a client that is registered there.",
                hint="Register one of type `native`, redirect http://127.0.0.1/callback, "
                "and give --client-id.",
            )
        client_id = input(f"Client id, as registered at {provider.host}: ").strip()
    secret = ""
    if with_secret:
        if sys.stdin.isatty():
            secret = getpass.getpass("Secret of the client (not shown): ")
        else:
            secret = sys.stdin.readline().rstrip("\r\n")
        if not secret:
            raise UsageError("The client's secret is empty; nothing was signed in.")
    if not (client_id + secret).isprintable() or not client_id:
        raise UsageError("That is no client's id.", hint="Copy it from the provider's pages.")
    return client_of(provider, client_id, secret)


async def sign_in(
    http: Http, provider: Provider, client: Client | None, wanted: Wanted, *, device: bool
) -> SignedIn:
    """By browser, or with `device` by a code. Raises UsageError, IssuerFailed, TimedOut."""
    if device:
        return await with_device(http, provider, client, wanted, _show_code)

    def show(url: str) -> None:
        print(f"Sign in at {provider.host}, on this machine:\n\n  {url}\n", flush=True)
        # Some browsers return when they are closed: nobody waits for them.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    return await with_browser(http, provider, client, wanted, show)


def _show_code(code: DeviceCode) -> None:
    minutes = max(1, round(code.expires_in / 60))
    print(
        f"Open {code.verification_uri} on any device and enter:\n\n"
        f"  {code.user_code}\n\n(good for {minutes} min)",
        flush=True,
    )
    if code.complete_uri:
        print(f"Or open it with the code in it: {code.complete_uri}", flush=True)
