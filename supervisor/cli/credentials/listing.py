"""`taskpass credential list`."""

from __future__ import annotations

import argparse
import sys
import time

from supervisor.cli.session import with_client


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="taskpass credential list")
    parser.add_argument("--json", action="store_true", help="machine-readable")
    options = parser.parse_args(words)
    rows = with_client(lambda client: client.credentials())
    if options.json:
        import msgspec

        body = {"schema_version": 1, "credentials": rows}
        sys.stdout.buffer.write(msgspec.json.encode(body) + b"\n")
        return 0
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
