"""`taskpass credential add|list|remove`. A secret is read from a prompt or stdin, never argv."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import time

from supervisor.cli.session import with_client
from supervisor.errors import UsageError
from supervisor.wire import AddCredential


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskpass credential")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add = verbs.add_parser("add", help="lend a credential to tasks, by use")
    add.add_argument("name")
    add.add_argument(
        "--host",
        action="append",
        required=True,
        metavar="HOST[:PORT]",
        help="where it is good; may be given again",
    )
    add.add_argument("--env", default="", help="variable in which a task sees the stand-in")
    add.add_argument("--header", default="authorization", help="header that carries it")
    add.add_argument("--scheme", default="Bearer", help='word before it, "" for none')
    add.add_argument(
        "--issuer",
        choices=("stored", "local-jwt"),
        default="stored",
        help="stored: a secret you have; local-jwt: signed here for each use, ES256, 60 s",
    )
    add.add_argument("--ttl", type=float, default=60.0, help="seconds, for minted ones")
    verbs.add_parser("list", help="what tasks may be lent")
    verbs.add_parser("jwks", help="public keys for who verifies local-jwt tokens (RFC 7517)")
    remove = verbs.add_parser("remove", help="forget a credential")
    remove.add_argument("name")
    return parser


def main(command: str, words: list[str]) -> int:
    options = _parser().parse_args(words)
    if options.verb == "add":
        return _add(options)
    if options.verb == "remove":
        with_client(lambda client: client.remove_credential(options.name))
        print(f"removed: {options.name}")
        return 0
    if options.verb == "jwks":
        print(json.dumps(with_client(lambda client: client.jwks()), indent=2))
        return 0
    rows = with_client(lambda client: client.credentials())
    if not rows:
        print("None yet. Add one: taskpass credential add NAME --host api.example.com --env VAR")
    for row in rows:
        bound = f"dies within {row.kill_bound:g} s ({row.kill_mode})"
        made = time.strftime("%Y-%m-%d", time.localtime(row.created))
        kept = row.protection or "made for each use"
        print(
            f"{row.name:<20} {row.issuer:<10} {', '.join(row.hosts):<30} {bound}  {kept}, "
            f"since {made}"
        )
    return 0


def _add(options: argparse.Namespace) -> int:
    secret = "" if options.issuer == "local-jwt" else _read_secret(options.name)
    request = AddCredential(
        name=options.name,
        issuer=options.issuer,
        hosts=tuple(options.host),
        env=options.env,
        header=options.header,
        scheme=options.scheme,
        ttl=options.ttl,
        secret=secret,
    )
    view = with_client(lambda client: client.add_credential(request))
    print(f"added: {view.name} at {', '.join(view.hosts)}")
    return 0


def _read_secret(name: str) -> str:
    if sys.stdin.isatty():
        secret = getpass.getpass(f"Secret for {name} (not shown): ")
    else:
        secret = sys.stdin.read().removesuffix("\n")
    if not secret:
        raise UsageError("The secret is empty; nothing was added.")
    if any(ord(character) < 33 or ord(character) == 127 for character in secret):
        raise UsageError(
            "The secret holds spaces or control characters, which no header can carry.",
            hint="Give the token alone, on one line.",
        )
    return secret
