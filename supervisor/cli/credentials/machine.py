"""What a script reads: one line of JSON."""

from __future__ import annotations

import argparse
import sys


def option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="machine-readable")


def say(**body: object) -> None:
    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode({"schema_version": 1, **body}) + b"\n")
