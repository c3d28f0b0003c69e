"""`python -m supervisor.effects.knowledge [FILE…]` prints what is wrong in tables and examples."""

from __future__ import annotations

import sys
from pathlib import Path

from supervisor.effects.knowledge.check import check
from supervisor.effects.knowledge.index import FOLDER, Knowledge


def main(arguments: list[str]) -> int:
    tables = Knowledge.load()
    files = [Path(argument) for argument in arguments] or sorted(FOLDER.glob("*.toml"))
    faults = [*tables.faults, *check(files, tables)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
