"""`taskpass credential rotate`: another secret under the same name, bound as before."""

from __future__ import annotations

import argparse

from supervisor.cli.credentials import machine
from supervisor.cli.credentials.ended import in_words
from supervisor.cli.credentials.secrets import read_secret
from supervisor.cli.session import with_client
from supervisor.protocol.credentials import RotateCredential


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="taskpass credential rotate")
    made.add_argument("name")
    made.add_argument("--lines", action="store_true", help="a key of several lines, on stdin")
    machine.option(made)
    return made


def main(words: list[str]) -> int:
    options = parser().parse_args(words)
    request = RotateCredential(secret=read_secret(options.name, lines=options.lines))
    ended = with_client(lambda client: client.rotate_credential(options.name, request))
    if options.json:
        machine.say(rotated=options.name, ended=ended)
    else:
        print(f"rotated: {options.name}{in_words(ended)}")
    return 0
