"""`taskpass credential list`."""

from __future__ import annotations

import argparse
import time

from supervisor.cli.credentials import machine
from supervisor.cli.session import with_client
from supervisor.vault.references import FROM
from supervisor.vault.standing import FILE


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="taskpass credential list")
    machine.option(made)
    return made


def main(words: list[str]) -> int:
    options = parser().parse_args(words)
    rows = with_client(lambda client: client.credentials())
    if options.json:
        machine.say(credentials=rows)
        return 0
    if not rows:
        print("None yet. Add one: taskpass credential add NAME --host api.example.com --env VAR")
    for row in rows:
        bound = f"dies within {row.kill_bound:g} s ({row.kill_mode})"
        made = time.strftime("%Y-%m-%d", time.localtime(row.created))
        kept = row.protection or row.options.get(FROM) or "made for each use"
        if FILE in row.options:
            kept += f", for tasks where {row.options[FILE]} lies"
        print(
            f"{row.name:<20} {row.issuer:<10} {', '.join(row.hosts):<30} {bound}  {kept}, "
            f"since {made}"
        )
    return 0
