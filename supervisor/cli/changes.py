"""`taskpass changes`: what a task left in its overlay, and deciding about it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

from supervisor.cli.session import with_client
from supervisor.client import AsyncClient
from supervisor.errors import NotFound, UsageError
from supervisor.protocol.wire import ApplyChanges, ChangeSetView, ChangeView

_MARKS = {"added": "A", "modified": "M", "deleted": "D"}
_MOST_LISTED = 20  # of what a new directory holds
_RED, _GREEN, _DIM, _PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"


def main(command: str, words: list[str]) -> int:
    action = words[0] if words[:1] in (["apply"], ["drop"]) else "show"
    options = _parser(action).parse_args(words if action == "show" else words[1:])
    if action == "apply":
        return _apply(options.task, options.path, options.risky)
    if action == "drop":
        return _drop(options.task, options.yes)
    return _show(options.task, options.diff, options.json)


def parser(command: str) -> argparse.ArgumentParser:
    return _parser("show")


def _parser(action: str) -> argparse.ArgumentParser:
    name = "taskpass changes" if action == "show" else f"taskpass changes {action}"
    parser = argparse.ArgumentParser(
        prog=name,
        description="What a task changed in its overlay (`taskpass run --overlay`).",
        epilog="`taskpass changes apply [TASK] [PATH …]` carries changes over into the real "
        "workspace, `taskpass changes drop [TASK]` forgets them."
        if action == "show"
        else None,
    )
    parser.add_argument("task", nargs="?", default="", help="number or id; the only one there is")
    if action == "show":
        parser.add_argument("--diff", action="store_true", help="the content, as a unified diff")
        parser.add_argument("--json", action="store_true", help="machine-readable")
    elif action == "apply":
        parser.add_argument("path", nargs="*", help="these, and what is below them; else all")
        parser.add_argument(
            "--risky", action="store_true", help="also what runs by itself, or leads out"
        )
    else:
        parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


# ── show ────────────────────────────────────────────────────────────────────────────────


def _show(task: str, diff: bool, as_json: bool) -> int:
    async def read(client: AsyncClient) -> list[ChangeSetView]:
        sets = await client.changes()
        if not task and not diff and len(sets) != 1:
            return sets
        found = _find(sets, task)
        return [found if found.running else await client.change_set(found.task, diff=diff)]

    sets = with_client(read)
    if as_json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode({"schema_version": 1, "sets": sets}) + b"\n")
        return 0
    colour = sys.stdout.isatty()
    if not sets:
        print("No changes to review. Start a task on an overlay: taskpass run --overlay -- claude")
    elif len(sets) > 1:
        print("\n".join(_line(each) for each in sets))
    elif diff:
        _page(_diff(sets[0].diff, colour), colour)
    else:
        print("\n".join(_lines(sets[0], colour)))
    return 0


def _find(sets: Sequence[ChangeSetView], name: str) -> ChangeSetView:
    """The set that a person means: by number, id or its beginning, or the only one.

    Raises:
        NotFound, UsageError: none, or several.
    """
    found = [s for s in sets if name in ("", s.task, str(s.number))]
    found = found or [s for s in sets if s.task.startswith(name)]
    if not found:
        what = f"of task {name} " if name else ""
        raise NotFound(f"There are no changes {what}to review.", hint="See `taskpass changes`.")
    if len(found) > 1:
        raise UsageError(
            f"Several tasks have changes: {', '.join(s.task for s in found)}.",
            hint="Name one by its id.",
        )
    return found[0]


def _line(found: ChangeSetView) -> str:
    state = "running" if found.running else f"{_counts(found)}, {_bytes(found.size)}"
    return f"{found.number:>3}  {found.task:<13} {state:<40} {_purpose(found)}  {found.workspace}"


def _purpose(found: ChangeSetView) -> str:
    return " ".join(found.purpose.split())


def _counts(found: ChangeSetView) -> str:
    return f"{found.added} added, {found.modified} modified, {found.deleted} deleted"


def _lines(found: ChangeSetView, colour: bool) -> list[str]:
    if found.running:
        return [f"Task {found.number} still works on its changes. Review them when it has ended."]
    lines = [f"{_purpose(found)}: {_counts(found)}, {_bytes(found.size)} in {found.workspace}"]
    lines += [_change(change, colour, inner) for change, inner in collapsed(found.changes)]
    return [
        *lines,
        f"Apply them: taskpass changes apply {found.task}",
        f"Drop them:  taskpass changes drop {found.task}",
    ]


def collapsed(changes: Sequence[ChangeView]) -> list[tuple[ChangeView, int]]:
    """The changes as they are listed, each with how many below it are summed up in it.

    Of a new directory that holds many, only what deserves a look is listed. `changes` are in
    order: a directory comes right before what is in it.
    """
    inside: dict[str, int] = {}  # outermost new directory → how much is in it
    for _, folder in _within_new(changes):
        inside[folder] = inside.get(folder, -1) + 1
    listed = []
    for change, folder in _within_new(changes):
        many = bool(folder) and inside[folder] > _MOST_LISTED
        if not many:
            listed.append((change, 0))
        elif f"{change.path}/" == folder:
            listed.append((change, inside[folder]))
        elif change.risk or change.conflict:
            listed.append((change, 0))
    return listed


def _within_new(changes: Sequence[ChangeView]) -> Iterator[tuple[ChangeView, str]]:
    """Each with the outermost new directory that it is or lies in, "" for none."""
    folder = ""
    for change in changes:
        if not (folder and change.path.startswith(folder)):
            new = change.kind == "added" and change.after == "directory"
            folder = f"{change.path}/" if new else ""
        yield change, folder


def _change(change: ChangeView, colour: bool, inner: int = 0) -> str:
    notes = [change.risk, change.conflict]
    if change.kind == "modified" and change.before != change.after:
        notes.append(f"was a {change.before}, is a {change.after}")
    elif change.kind == "modified" and change.mode != change.mode_before:
        notes.append(f"mode {change.mode_before:o} is {change.mode:o}")
    if inner:
        notes.append(f"{inner} in it, all new")
    end = "/" if "directory" in (change.after or change.before) else ""
    note = "; ".join(note for note in notes if note)
    text = f"  {_MARKS[change.kind]}  {change.path}{end}" + (f"   {note}" if note else "")
    return f"{_RED}{text}{_PLAIN}" if colour and (change.risk or change.conflict) else text


def _diff(diff: str, colour: bool) -> str:
    return "\n".join(_shown(line, colour) for line in diff.split("\n"))


def _shown(line: str, colour: bool) -> str:
    """A line of a diff. What a file holds must not play with the terminal."""
    text = "".join(
        c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in line
    )
    shade = {"+": _GREEN, "-": _RED, "@": _DIM}.get(text[:1], "") if colour else ""
    return f"{shade}{text}{_PLAIN}" if shade else text


def _page(text: str, terminal: bool) -> None:
    if not terminal:
        print(text, end="")
        return
    pager = os.environ.get("PAGER") or "less"
    # As git does: leave when it fits on the screen, keep our colours.
    environ = {"LESS": "FRX"} | dict(os.environ)
    try:
        subprocess.run(["/bin/sh", "-c", pager], input=text, text=True, env=environ, check=False)
    except OSError:
        print(text)


def _bytes(size: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"


# ── apply and drop ──────────────────────────────────────────────────────────────────────


def _apply(task: str, paths: list[str], risky: bool) -> int:
    async def act(client: AsyncClient) -> str:
        # The first word is a path where it names no task and there is but one.
        sets = await client.changes()
        found, wanted = _target(sets, task, paths)
        sure = risky or await _agreed(client, found, wanted)
        request = ApplyChanges(paths=tuple(wanted), risky=sure)
        done = await client.apply_changes(found.task, request)
        left = f", {done.left} left" if done.left else ""
        return f"applied: {done.applied} changes in {found.workspace}{left}"

    print(with_client(act))
    return 0


def _target(
    sets: Sequence[ChangeSetView], task: str, paths: list[str]
) -> tuple[ChangeSetView, list[str]]:
    try:
        return _find(sets, task), paths
    except NotFound:
        if len(sets) != 1:
            raise
        return sets[0], [task, *paths]


async def _agreed(client: AsyncClient, found: ChangeSetView, paths: list[str]) -> bool:
    """Ask the person about what deserves a second look, where there is one to ask."""
    view = await client.change_set(found.task)
    below = [path.rstrip("/") for path in paths]
    risky = [
        change
        for change in view.changes
        if change.risk
        and (not below or any(change.path == b or change.path.startswith(f"{b}/") for b in below))
    ]
    if not risky or not sys.stdin.isatty():
        return False
    for change in risky:
        print(_change(change, sys.stdout.isatty()))
    return _yes("Apply these as well?")


def _drop(task: str, sure: bool) -> int:
    async def find(client: AsyncClient) -> ChangeSetView:
        return _find(await client.changes(), task)

    found = with_client(find)
    if not sure:
        if not sys.stdin.isatty():
            raise UsageError("Dropped changes are gone for good.", hint="Say --yes.")
        print(_line(found))
        if not _yes("Drop them for good?"):
            return 1

    async def act(client: AsyncClient) -> None:
        await client.drop_changes(found.task)

    with_client(act)
    print(f"dropped: {_counts(found)}")
    return 0


def _yes(question: str) -> bool:
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
