"""`taskpass run -- AGENT …`: one task, in this terminal or without a screen."""

from __future__ import annotations

import os
import sys

from supervisor import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from supervisor.errors import UsageError


def _wanted(words: list[str]) -> tuple[dict[str, object], list[str]]:
    """What a task is asked to be, as fields of `wire.StartTask`, and the program's words."""
    if words[:2] == ["--headless", "--"]:
        # As scripts say it, and wait for it: argparse alone takes 9 ms.
        return {"interactive": False}, words[2:]
    return _parsed(words)


def parser(command: str) -> argparse.ArgumentParser:
    import argparse

    made = argparse.ArgumentParser(
        prog="taskpass run", description="Run an agent, or any program, as a supervised task."
    )
    made.add_argument("--purpose", default="", help="what the task is for, in your words")
    made.add_argument("--profile", default="", help="treat it as this agent (else recognised)")
    made.add_argument(
        "--contain",
        choices=("strict", "standard", "off"),
        default="",
        help="how much is kept from it (default: config.toml's containment.mode, else standard)",
    )
    made.add_argument(
        "--show",
        action="append",
        default=[],
        metavar="PATH",
        help="let it read this, though it is outside or holds secrets (may be given again)",
    )
    made.add_argument(
        "--write",
        action="append",
        default=[],
        metavar="PATH",
        help="let it write this, though it is outside or guarded (may be given again)",
    )
    made.add_argument(
        "--max-age", type=float, default=0.0, metavar="MINUTES", help="end the task after this"
    )
    made.add_argument(
        "--max-call-age",
        type=float,
        default=0.0,
        metavar="MINUTES",
        help="what one call was lent runs out after this",
    )
    made.add_argument(
        "--max-calls", type=int, default=0, metavar="N", help="refuse calls beyond this number"
    )
    made.add_argument(
        "--max-changes",
        type=int,
        default=-1,
        metavar="N",
        help="refuse more than N changes: files, rows, refs, requests that write",
    )
    made.add_argument(
        "--loopback",
        action="append",
        default=[],
        metavar="PORT",
        help="let it reach this service of the machine's loopback (may be given again)",
    )
    made.add_argument(
        "--overlay",
        action="store_true",
        help="leave the workspace as it is: review what was changed with `taskpass changes`",
    )
    made.add_argument(
        "--record",
        action="store_true",
        help="keep what its terminal shows, sealed: see `taskpass recording`",
    )
    made.add_argument(
        "--memory", default="", metavar="SIZE", help="let it use no more together, as 4G"
    )
    made.add_argument(
        "--cpus", type=float, default=0.0, metavar="N", help="let it keep no more processors busy"
    )
    made.add_argument(
        "--processes", type=int, default=0, metavar="N", help="let it have no more at once"
    )
    made.add_argument("--preset", default="", help="policy: standard or strict")
    made.add_argument(
        "--headless", action="store_true", help="no screen: input and output are the program's"
    )
    made.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- AGENT …")
    return made


def _parsed(words: list[str]) -> tuple[dict[str, object], list[str]]:
    from supervisor.loopback import listed_port
    from supervisor.sizes import bytes_of

    options = parser("run").parse_args(words)
    wanted = {
        "purpose": options.purpose,
        "profile": options.profile,
        "contain": options.contain,
        "show": [_absolute(each) for each in options.show],
        "write": [_absolute(each) for each in options.write],
        "max_age": options.max_age * 60,
        "max_call_age": options.max_call_age * 60,
        "max_calls": options.max_calls,
        "max_changes": options.max_changes,
        "memory": bytes_of(options.memory) if options.memory else 0,
        "cpus": max(0.0, options.cpus),
        "processes": max(0, options.processes),
        "preset": options.preset,
        "overlay": options.overlay,
        "record": options.record,
        "loopback": [listed_port(each) for each in options.loopback],
        "interactive": not options.headless,
    }
    return wanted, options.argv[1:] if options.argv[:1] == ["--"] else options.argv


def _absolute(path: str) -> str:
    return os.path.abspath(os.path.expanduser(path))


def main(command: str, words: list[str]) -> int:
    wanted, argv = _wanted(words)
    if not argv:
        raise _usage("There is no program to run.", hint="Say `taskpass run -- claude`.")
    if os.environ.get("TASKPASS_TASK"):
        raise _usage(
            "This terminal is inside a task already; a task does not start another one.",
            hint="Use a terminal outside it.",
        )
    request = wanted | {
        "argv": argv,
        "cwd": _working_directory(),
        "environ": places.environment(),
        "umask": places.umask(),
    }
    if not wanted["interactive"]:
        from supervisor.cli.headless import run_headless

        # Nothing of ours is open any more; Python's own tidying up would take 2 ms.
        os._exit(run_headless(request))
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise _usage(
            "`taskpass run` shows the agent in a terminal, and there is none here.",
            hint="Add --headless to run without a screen.",
        )
    if not os.path.exists(places.setup_markers()[0]):
        from supervisor.cli.first_run import offer_first

        if not offer_first(str(request["cwd"]), argv):
            return 130
    from supervisor.cli.needs import ask_before_run

    ask_before_run(str(request["cwd"]))
    return _run_in_terminal(request)


def _usage(message: str, *, hint: str) -> UsageError:
    from supervisor.errors import UsageError

    return UsageError(message, hint=hint)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        raise _usage(
            "The directory you are in does not exist any more.", hint="Change to another one."
        ) from None


def _run_in_terminal(request: dict[str, object]) -> int:
    from dataclasses import asdict

    import msgspec

    from supervisor.cli.headless import to_review
    from supervisor.cli.session import with_client
    from supervisor.errors import VaultLocked
    from supervisor.protocol.wire import StartTask

    size = os.get_terminal_size()
    # The last line is ours: who runs, where, and what waits.
    start = msgspec.convert(
        request | {"cols": size.columns, "rows": max(1, size.lines - 1)}, StartTask
    )
    try:
        started = with_client(lambda client: client.start_task(start))
    except VaultLocked as error:
        from supervisor.cli.unlock import unlock_here

        unlock_here(error)
        started = with_client(lambda client: client.start_task(start))
    code = show(started.task.id)
    if started.mcp:
        from supervisor.cli.mcp_told import sentences

        for sentence in sentences(map(asdict, started.mcp)):
            print(f"taskpass: {sentence}", file=sys.stderr)
    if started.task.overlay:
        print(to_review(started.task.id), file=sys.stderr)
    return code


def show(task: str) -> int:
    """Show a task in this terminal until it ends or is left; its exit code, 0 when left."""
    from supervisor.client_setup import SetupClient
    from tui import settings
    from tui.app import TaskpassApp

    app = TaskpassApp(SetupClient(), shape="run", task=task, settings=settings.load())
    code = app.run()
    for row in _last_words(app.last_screen):
        print(row)
    if app.farewell:
        print(f"taskpass: {app.farewell}", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _last_words(rows: tuple[str, ...]) -> list[str]:
    """What the agent left on its screen, without the empty rest."""
    kept = list(rows)
    while kept and not kept[-1]:
        kept.pop()
    return kept
