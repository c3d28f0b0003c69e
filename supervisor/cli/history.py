"""`taskpass history` and `taskpass verify`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from supervisor.cli.session import find_task, with_client
from supervisor.client import AsyncClient
from supervisor.errors import NotFound

if TYPE_CHECKING:
    from supervisor.protocol.review import PageView

_LIMIT = 1000
_PAGE = 1000
_HELP = {
    "history": "What was asked, allowed, denied, used, revoked: the latest records.",
    "verify": "Recompute the chain of records and check its signed heads, or those of an export.",
}
_FILTERS = """\
A filter has fields and words, all of which must match; a minus in front means: must not.
  task:2 decision:ask,deny kind:use.* rule:standard/outward.ci host:api.github.com since:2h -curl
Fields: """


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"taskpass {command}",
        description=_HELP[command],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if command == "verify":
        made.add_argument("file", nargs="?", default="", help="an export, instead of the history")
        made.add_argument("--key", default="", metavar="SHA256:…", help="it was signed by this key")
    else:
        from supervisor.review.query import FIELDS

        made.epilog = _FILTERS + ", ".join(FIELDS) + "."
        made.add_argument(
            "filter", nargs="*", default=[], help="number or id of one task, or a filter; see below"
        )
        made.add_argument("-n", type=int, default=_LIMIT, help="how many records")
        what = made.add_mutually_exclusive_group()
        what.add_argument(
            "--record", type=int, metavar="N", help="all of one record, and its proof"
        )
        what.add_argument(
            "--replay", action="store_true", help="what would be decided today, beside then"
        )
        what.add_argument("--figures", action="store_true", help="how well questions are answered")
        what.add_argument("--timeline", action="store_true", help="how much happened when")
        what.add_argument(
            "--export", metavar="FILE", help="a file that proves itself; - for standard output"
        )
        made.add_argument(
            "--format", choices=("jsonl", "csv", "md"), help="of the export; else by FILE's name"
        )
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(command: str, words: list[str]) -> int:
    if command == "verify":
        options = parser(command).parse_args(words)
        if options.file:
            from supervisor.cli.history_export import verify_file

            return verify_file(options.file, options.key, options.json)
        return _verify(options.json)
    options = parser(command).parse_intermixed_args(words)
    from supervisor.cli import history_export, history_shown

    if options.record:
        return history_shown.record(options.record, options.json)
    if options.figures:
        return history_shown.figures(options.filter, options.json)
    if options.timeline:
        return history_shown.timeline(options.filter, options.json)
    if options.replay:
        return history_shown.replay(options.filter, options.n, options.json)
    if options.export:
        return history_export.export(options.filter, options.export, options.format)
    return _list(options.filter, options.n, options.json)


def _list(words: list[str], limit: int, as_json: bool) -> int:
    async def read(client: AsyncClient) -> list[dict[str, Any]]:
        return await latest(client, await query_of(client, words), limit)

    records = with_client(read)
    if as_json:
        import msgspec

        for record in records:
            sys.stdout.buffer.write(msgspec.json.encode({"schema_version": 1} | record) + b"\n")
        return 0
    if not records and _names_task(words):
        print(f"Nothing is recorded of task {words[0]}. See: taskpass ps")
    elif not records and words:
        print("No record matches. Say less, or see `taskpass history --help`.")
    elif not records:
        print("Nothing yet. Start a task: taskpass run -- claude")
    for record in records:
        print(line(record))
    return 0


async def query_of(client: AsyncClient, words: list[str]) -> str:
    """The filter that a person typed; a lone number, or beginning of an id, names a task."""
    if _names_task(words):
        # A task of an earlier supervisor is known by its id alone.
        with contextlib.suppress(NotFound):
            return f"task:{(await find_task(client, words[0])).id}"
        return f"task:{words[0]}"
    # What a shell has taken the quotes from was one phrase.
    return " ".join(f'"{word}"' if " " in word and ":" not in word else word for word in words)


def _names_task(words: list[str]) -> bool:
    return len(words) == 1 and (words[0].isdecimal() or words[0].startswith("t-"))


async def latest(client: AsyncClient, query: str, limit: int) -> list[dict[str, Any]]:
    """The newest records that match, oldest first."""
    found: list[dict[str, Any]] = []
    before = 0
    while len(found) < limit:
        page: PageView = await client.find(
            query, before=before, limit=max(1, min(_PAGE, limit - len(found)))
        )
        found += page.records
        before = page.next
        if not before:
            break
    return found[::-1]


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
        f"{result!s:<9} {safe(first[:90])}"
    )


def safe(text: str) -> str:
    """An agent's text for a terminal: what does not print becomes `·`."""
    return "".join(each if each.isprintable() else "·" for each in text)


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
        print(f"signed by {view.key}")
    return 0 if view.ok else 1
