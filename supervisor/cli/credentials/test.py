"""`taskpass credential test`: what the host says to one GET with it."""

from __future__ import annotations

import argparse

from supervisor.cli.credentials import machine
from supervisor.cli.session import with_client
from supervisor.protocol.credentials import TestCredential, TestedCredential

_REFUSED = (401, 403)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="taskpass credential test")
    made.add_argument("name")
    made.add_argument("path", nargs="?", default="/", help="to GET; / by default")
    made.add_argument("--host", default="", help="of those it is bound to; the first by default")
    machine.option(made)
    return made


def main(words: list[str]) -> int:
    """0 where the host took it, 1 where it did not."""
    options = parser().parse_args(words)
    request = TestCredential(path=options.path, host=options.host)
    tested = with_client(lambda client: client.test_credential(options.name, request))
    if options.json:
        machine.say(tested=options.name, result=tested)
    else:
        print(_in_words(options.name, tested))
    return 1 if tested.status in _REFUSED or tested.works_after or tested.unconfirmed else 0


def _in_words(name: str, tested: TestedCredential) -> str:
    said = f"{name}: GET https://{tested.host}{tested.path} answered {tested.status}"
    if tested.status == 401:
        said += ": it is not taken there"
    elif tested.status == 403:
        said += ": it is known there and may not do this"
    if tested.revoked:
        after = {True: "and is STILL TAKEN", False: "and is refused now", None: ""}
        said += f"; minted for this, then revoked {after[tested.works_after]}".rstrip()
    elif tested.unconfirmed:
        said += "; minted for this, and not confirmed dead yet: see taskpass credential live"
    return said
