"""`taskpass undo`: takes back what taskpass changed for the person."""

from __future__ import annotations

import argparse
import os
import sys
import time

from supervisor.cli.setup_session import with_setup
from supervisor.errors import UsageError
from supervisor.protocol.setup import UndoView


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"taskpass {command}",
        description="Put back what taskpass changed for you: files byte for byte, and credentials "
        "that it keeps are forgotten again.",
    )
    made.add_argument("id", nargs="?", default="", help="which change (default: the last one)")
    made.add_argument("--list", action="store_true", help="show what can be undone")
    made.add_argument("--json", action="store_true", help="with --list: machine-readable")
    made.add_argument(
        "--copy", metavar="DIR", default="", help="only write the files as they were into DIR"
    )
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if options.list:
        return _list(as_json=options.json)
    if options.copy:
        return _copy(options.id, options.copy)
    done = with_setup(lambda client: client.undo(options.id))
    print(f"undone: {done.what}")
    for path in done.paths:
        print(f"  {path} is as it was")
    for name in done.credentials:
        print(f"  {name} is not lent any more")
    return 0


def _list(*, as_json: bool) -> int:
    entries = with_setup(lambda client: client.undoable())
    if as_json:
        import msgspec

        document = {"schema_version": 1, "entries": entries}
        sys.stdout.buffer.write(msgspec.json.encode(document) + b"\n")
        return 0
    if not entries:
        print("There is nothing to undo.")
    for entry in entries:
        print(_line(entry))
    return 0


def _line(entry: UndoView) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.at))
    return f"{entry.id}  {when}  {entry.what}"


def _copy(name: str, folder: str) -> int:
    if not os.path.isdir(folder):
        raise UsageError(f"{folder} is not a directory.", hint="Make it first, for you alone.")
    target = os.path.abspath(folder)
    for path in with_setup(lambda client: client.copy_undo(name, target)).paths:
        print(path)
    return 0
