"""`taskpass history` and `taskpass verify`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from typing import Any

from supervisor.cli.session import find_task, with_client
from supervisor.client import AsyncClient
from supervisor.errors import NotFound

_LIMIT = 1000
_HELP = {
    "history": "What was asked, allowed, denied, used, revoked: the latest records.",
    "verify": "Recompute the chain of records and check its signed heads.",
}


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"taskpass {command}", description=_HELP[command])
    if command == "history":
        made.add_argument("task", nargs="?", default="", help="number or id of one task")
        made.add_argument("-n", type=int, default=_LIMIT, help="how many records")
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if command == "verify":
        return _verify(options.json)
    records = with_client(lambda client: _read(client, options.task, options.n))
    if options.json:
        import msgspec

        for record in records:
            sys.stdout.buffer.write(msgspec.json.encode({"schema_version": 1} | record) + b"\n")
        return 0
    if not records and options.task:
        print(f"Nothing is recorded of task {options.task}. See: taskpass ps")
    elif not records:
        print("Nothing yet. Start a task: taskpass run -- claude")
    for record in records:
        print(line(record))
    return 0


async def _read(client: AsyncClient, task: str, limit: int) -> list[dict[str, Any]]:
    if task:
        # A task of an earlier supervisor is known by its id alone.
        with contextlib.suppress(NotFound):
            task = (await find_task(client, task)).id
    return await client.history(task=task, limit=limit)


def line(record: dict[str, Any]) -> str:
    """One record as one line of text."""
    at = time.strftime("%m-%d %H:%M:%S", time.localtime(record["time"]))
    what = (
        _credential(record)
        or record.get("preview")
        or record.get("effect")
        or record.get("title")
        or record.get("purpose")
        or record.get("detail")
        or ""
    )
    result = record.get("answer") or record.get("outcome") or record.get("status") or ""
    first = str(what).splitlines()[0] if what else ""
    return (
        f"{record['seq']:>6}  {at}  {record.get('task', ''):<13} {record['kind']:<22} "
        f"{result!s:<9} {first[:90]}"
    )


def _credential(record: dict[str, Any]) -> str:
    """What became of a credential after its lease; "" for records about something else."""
    match record["kind"]:
        case "lease.revoked":
            taken = "refused when tried" if record.get("works") == "no" else "cannot be tried"
            return f"{record['credential']} of {record['issuer']}: confirmed, {taken}"
        case "lease.unconfirmed" | "lease.irrevocable":
            until = time.strftime("%H:%M", time.localtime(record["until"]))
            return f"{record['credential']} dies by itself at {until}: {record['problem']}"
        case "lease.expired":
            return f"{record['credential']} of {record['issuer']}"
    return ""


def _verify(as_json: bool) -> int:
    view = with_client(lambda client: client.verify())
    if as_json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(view) + b"\n")
    else:
        print(
            f"{'ok' if view.ok else 'BROKEN'}: {view.records} records, "
            f"{view.checkpoints} checkpoints. {view.message}"
        )
    return 0 if view.ok else 1
