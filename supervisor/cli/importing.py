"""`taskpass import FILE`: secrets of a `.env` move to the vault, stand-ins take their place."""

from __future__ import annotations

import argparse
import os
import sys

from supervisor.cli.setup_session import with_setup
from supervisor.client_setup import SetupClient
from supervisor.errors import UsageError
from supervisor.protocol.imports import Imported, ImportPlan, ImportRow, PlanImport

_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    bind = dict(_binding(text) for text in options.bind)
    request = PlanImport(path=_real(options.file), bind=bind, leave=tuple(options.leave))

    async def act(client: SetupClient) -> int:
        plan = await client.plan_import(request)
        asked = request
        if options.json:
            if options.yes:
                _print_json(await client.carry_out_import(asked, plan.digest))
            else:
                _print_json(Imported(plan=plan))
            return 0
        _show(plan)
        if options.dry_run:
            return 0
        ask = sys.stdin.isatty() and not options.yes
        if ask and (told := _ask_hosts(plan)):
            asked = PlanImport(path=request.path, bind=bind | told, leave=request.leave)
            plan = await client.plan_import(asked)
            _show(plan)
        count = len({row.credential for row in plan.rows if row.credential})
        if not count:
            print("Nothing moves; the file stays as it is.")
            return 0
        if not options.yes and not (ask and _confirmed(count)):
            raise UsageError("Nothing was changed.", hint="Say --yes to move what is listed.")
        done = await client.carry_out_import(asked, plan.digest)
        _tell(done, count)
        return 0

    return with_setup(act)


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass import",
        description="Move secrets of a .env file into the vault. The file keeps stand-ins, which "
        "work in tasks of this project and nowhere else; taskpass undo takes it back.",
    )
    made.add_argument("file")
    made.add_argument(
        "--bind",
        action="append",
        default=[],
        metavar="NAME=HOST[,HOST]",
        help="where the secret in this variable is good; may be given again",
    )
    made.add_argument(
        "--leave", action="append", default=[], metavar="NAME", help="leave this one in the file"
    )
    made.add_argument("--dry-run", action="store_true", help="only say what would be done")
    made.add_argument("--yes", action="store_true", help="do not ask")
    made.add_argument("--json", action="store_true", help="machine-readable; with --yes, do it")
    return made


def _real(file: str) -> str:
    """Absolute, with the directories' links resolved; a link in the last place is refused later."""
    folder, name = os.path.split(os.path.abspath(file))
    return os.path.join(os.path.realpath(folder), name)


def _binding(text: str) -> tuple[str, tuple[str, ...]]:
    name, equals, hosts = text.partition("=")
    if not name or not equals or not all(hosts.split(",")):
        raise UsageError(f"{text!r} binds nothing.", hint="Write it as ACME_KEY=api.acme.test")
    return name, tuple(hosts.split(","))


def _show(plan: ImportPlan) -> None:
    print(plan.path)
    for row in plan.rows:
        print(_line(row))
    for note in plan.notes:
        print(f"note: {note}")
    if any(row.secret and not row.credential for row in plan.rows):
        print("What stays and is a secret can be read by whoever reads the file.")


def _line(row: ImportRow) -> str:
    name = row.name or "#"
    if row.credential:
        return f"  moves  {name:<28} to the vault, for {', '.join(row.hosts)}"
    text = f"  stays  {name:<28} {row.why}"
    if row.asks:
        text += f" --bind {row.name}=HOST"
    return f"{_RED}{text}{_PLAIN}" if row.secret and _colours() else text


def _colours() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _ask_hosts(plan: ImportPlan) -> dict[str, tuple[str, ...]]:
    told = {}
    for row in plan.rows:
        if row.asks and row.name not in told:
            answer = input(f"{row.name}: at which host is it good? (Enter leaves it here) ")
            if hosts := tuple(answer.replace(",", " ").split()):
                told[row.name] = hosts
    return told


def _confirmed(count: int) -> bool:
    what = "this secret" if count == 1 else f"these {count} secrets"
    return input(f"Move {what} to the vault? [y/N] ").strip().lower() in ("y", "yes")


def _tell(done: Imported, count: int) -> None:
    print(f"moved: {count} {'secret' if count == 1 else 'secrets'}; stand-ins are in their place.")
    if done.plan.shown:
        print("Tasks started in this project from now on can read the file and use them.")
    else:
        print(
            "Tasks still do not see the file, since secrets stay in it; the moved ones are in "
            "their environment."
        )
    print(f"To take it back: taskpass undo {done.undo}")


def _print_json(done: Imported) -> None:
    import msgspec

    sys.stdout.buffer.write(
        msgspec.json.encode({"schema_version": 1, "undo": done.undo, "plan": done.plan}) + b"\n"
    )
