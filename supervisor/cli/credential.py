"""`taskpass credential VERB`: finds the verb's module (`supervisor.cli.credentials.VERBS`)."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from supervisor.cli.credentials import VERBS


def parser(command: str) -> argparse.ArgumentParser:
    """With all verbs, for completions and the manual; each has its own for itself."""
    made = argparse.ArgumentParser(
        prog="taskpass credential", description="What tasks may be lent, and what they are lent."
    )
    verbs = made.add_subparsers(dest="verb", metavar="VERB")
    for verb, (name, what) in VERBS.items():
        module = import_module(f"supervisor.cli.credentials.{name}")
        verbs.add_parser(verb, help=what, parents=[module.parser()], add_help=False)
    return made


def main(command: str, words: list[str]) -> int:
    verb = words[0] if words else ""
    if verb in ("-h", "--help"):
        print(_usage(), end="")
        return 0
    if verb not in VERBS:
        said = f"there is no verb {verb!r}" if verb else "which verb?"
        print(f"taskpass credential: {said}\n{_usage()}", file=sys.stderr, end="")
        return 2
    module = import_module(f"supervisor.cli.credentials.{VERBS[verb][0]}")
    return int(module.main(words[1:]))


def _usage() -> str:
    verbs = "".join(f"  {verb:<10} {what}\n" for verb, (_, what) in VERBS.items())
    return (
        f"usage: taskpass credential VERB …\n\n{verbs}\n"
        "`taskpass credential VERB --help` tells more.\n"
    )
