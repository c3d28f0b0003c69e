"""`taskpass signin|signout`: who you are, by your company's OpenID provider."""

from __future__ import annotations

import argparse
import asyncio
import time

from supervisor.cli.browser import by_code, connected, known_client, sign_in
from supervisor.cli.session import with_client
from supervisor.client import AsyncClient
from supervisor.oauth.provider import discover
from supervisor.oauth.signing_in import Wanted
from supervisor.protocol.person import PersonView, SignInPerson


def parser(command: str) -> argparse.ArgumentParser:
    if command == "signout":
        return argparse.ArgumentParser(
            prog="taskpass signout", description="Be the account of this machine again."
        )
    made = argparse.ArgumentParser(
        prog="taskpass signin",
        description="Sign in, so that tasks, tokens and records say who you are, not only which "
        "account. It holds for as long as the provider's ID token does.",
    )
    made.add_argument(
        "--issuer", default="", metavar="URL", help="https://id.example.com; without: who you are"
    )
    made.add_argument("--client-id", default="", help="as registered there")
    made.add_argument(
        "--client-secret", action="store_true", help="the client has a secret: asked for"
    )
    made.add_argument("--device", action="store_true", help="by a code, on another device")
    return made


def main(command: str, words: list[str]) -> int:
    if command == "signout":
        parser(command).parse_args(words)
        print(_in_words(with_client(lambda client: client.sign_out())))
        return 0
    given = parser(command).parse_args(words)
    if given.issuer:
        print(_in_words(asyncio.run(_sign_in(given))))
    else:
        print(_in_words(with_client(lambda client: client.person())))
    return 0


async def _sign_in(given: argparse.Namespace) -> PersonView:
    supervisor = AsyncClient()
    await supervisor.connect()  # which no task can
    try:
        async with connected() as http:
            provider = await discover(http, given.issuer)
            client = known_client(provider, given.client_id, with_secret=given.client_secret)
            device = by_code(provider, asked=given.device)
            signed = await sign_in(http, provider, client, Wanted("openid email"), device=device)
        return await supervisor.sign_in(
            SignInPerson(
                issuer=provider.issuer,
                client_id=signed.client.id,
                nonce=signed.nonce,
                id_token=signed.tokens.id_token,
            )
        )
    finally:
        await supervisor.close()


def _in_words(person: PersonView) -> str:
    if not person.subject:
        return f"{person.user}: the account of this machine ({person.evidence})"
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(person.until))
    return f"{person.user}: {person.name}, by {person.issuer} ({person.evidence}), until {until}"
