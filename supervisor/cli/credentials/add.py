"""`taskpass credential add`."""

from __future__ import annotations

import argparse
import os

from supervisor.cli.credentials import machine
from supervisor.cli.credentials.secrets import read_secret
from supervisor.cli.session import with_client
from supervisor.errors import UsageError
from supervisor.protocol.wire import AddCredential

# Issuers that need no secret of ours, and those whose secret may be a key of several lines.
_WITHOUT = frozenset({"local-jwt", "reference"})
_KEYS = frozenset({"github-app"})


def parser() -> argparse.ArgumentParser:
    add = argparse.ArgumentParser(prog="taskpass credential add")
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
        "--from",
        dest="source",
        default="",
        metavar="REFERENCE",
        help="where the secret lies, to be looked up at each use and never stored: "
        "'cmd://gh auth token', op://VAULT/ITEM/FIELD, vault://MOUNT/PATH#FIELD, env://NAME",
    )
    add.add_argument(
        "--issuer",
        default="",
        help="stored: a secret you have (default); local-jwt: signed here for each use, ES256, "
        "60 s; others: taskpass credential kinds",
    )
    add.add_argument("--ttl", type=float, default=60.0, help="seconds, for minted ones")
    add.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what the issuer needs to know, never a secret; may be given again",
    )
    machine.option(add)
    return add


def main(words: list[str]) -> int:
    options = parser().parse_args(words)
    given = dict(_option(text) for text in options.option)
    issuer = options.issuer or ("reference" if options.source else "stored")
    if (issuer == "reference") != bool(options.source):
        raise UsageError(
            "A reference is given by --from, without an issuer.",
            hint="taskpass credential add NAME --host HOST --from 'cmd://gh auth token'",
        )
    if options.source:
        given |= _reference(options.source)
    secret = ""
    if issuer not in _WITHOUT:
        secret = read_secret(options.name, lines=issuer in _KEYS)
    request = AddCredential(
        name=options.name,
        issuer=issuer,
        hosts=tuple(options.host),
        env=options.env,
        header=options.header,
        scheme=options.scheme,
        ttl=options.ttl,
        options=given,
        secret=secret,
    )
    view = with_client(lambda client: client.add_credential(request))
    if options.json:
        machine.say(added=view)
    else:
        print(f"added: {view.name} at {', '.join(view.hosts)}")
    return 0


def _reference(text: str) -> dict[str, str]:
    from supervisor.vault import references
    from supervisor.vault.surrogate import template

    given = references.options_for(text, os.environ)
    program = os.path.realpath(given.get(references.PROGRAM, "/"))
    if program.startswith(os.path.join(os.path.realpath("."), "")):
        raise UsageError(
            f"{program} lies in the directory you are in, where a task could change it: it is "
            "not asked for secrets.",
            hint="Use one that is installed for all projects.",
        )
    variable = references.parse(text).variable
    if variable and os.environ.get(variable):
        given["shape"] = template(os.environ[variable])
    return given


def _option(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise UsageError(f"{text!r} is no option.", hint="Write it as KEY=VALUE.")
    return key, value
