"""`taskpass credential live`."""

from __future__ import annotations

import argparse

from supervisor.cli.session import print_json, with_client
from supervisor.model import Grant, Lease
from supervisor.protocol.wire import OwedView, Snapshot


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass credential live",
        description="What is lent now, and what has ended here and is not known to be dead "
        "elsewhere: with the time until it dies by itself.",
    )
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(words: list[str]) -> int:
    options = parser().parse_args(words)
    now = with_client(lambda client: client.snapshot())
    if options.json:
        print_json({"schema_version": 1, "leases": now.leases, "unconfirmed": now.owed})
        return 0
    grants = {grant.id: grant for grant in now.grants}
    for lease in now.leases:
        print(_lease(now, lease, grants.get(lease.grant)))
    for owed in now.owed:
        print(unconfirmed(now, owed))
    if not (now.leases or now.owed):
        print("Nothing: no credential is lent, and none that was is known to be live.")
    return 0


def unconfirmed(now: Snapshot, owed: OwedView) -> str:
    """One line about a credential that is not known to be dead."""
    left = owed.until - now.now
    dies = f"dies by itself in {_span(left)}" if left > 0 else "should have died by itself"
    why = f"; {owed.problem}" if owed.problem else ""
    return f"{owed.state:<14} {owed.credential:<20} {_task(now, owed.task):<10} {dies}{why}"


def _lease(now: Snapshot, lease: Lease, grant: Grant | None) -> str:
    what = f"{grant.credential} at {grant.resource}" if grant else lease.grant
    ends = f"ends with its call, in {_span(lease.expires - now.now)} at the latest"
    return f"{lease.state:<14} {what:<20} {_task(now, lease.task):<10} {ends}"


def _task(now: Snapshot, task: str) -> str:
    number = next((view.number for view in now.tasks if view.id == task), 0)
    return f"task {number}" if number else task


def _span(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"
