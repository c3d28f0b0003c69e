"""`taskpass credential kinds`."""

from __future__ import annotations

import argparse

from supervisor.cli.session import print_json, with_client
from supervisor.protocol.credentials import KindView


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass credential kinds",
        description="What credentials can come from (issuers) and how they are carried (channels): "
        "what each can be narrowed to, how long it lives, and how and how soon it ends.",
    )
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(words: list[str]) -> int:
    options = parser().parse_args(words)
    view = with_client(lambda client: client.kinds())
    if options.json:
        print_json({"schema_version": 1, "issuers": view.issuers, "channels": view.channels})
        return 0
    print("ISSUERS")
    for kind in view.issuers:
        _say(kind)
    print("\nCHANNELS")
    for kind in view.channels:
        _say(kind)
    return 0


def _say(kind: KindView) -> None:
    print(f"  {kind.name:<23} {kind.title}")
    for label, text in (
        ("scope", f"{kind.resource}; {kind.verb}"),
        ("lives", kind.lifetime),
        ("ends", f"{kind.kill_mode}: {kind.bound}"),
    ):
        print(f"  {'':<23}   {label:<6} {text}")
