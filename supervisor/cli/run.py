"""`taskpass run -- AGENT …`: one task, in this terminal or without a screen."""

from __future__ import annotations

import argparse
import os
import sys

from supervisor.errors import UsageError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="taskpass run", description="Run an agent, or any program, as a supervised task."
    )
    parser.add_argument("--purpose", default="", help="what the task is for, in your words")
    parser.add_argument("--profile", default="", help="treat it as this agent (else recognised)")
    parser.add_argument(
        "--contain", choices=("standard", "off"), default="standard", help="containment"
    )
    parser.add_argument(
        "--max-age", type=float, default=0.0, metavar="MINUTES", help="end the task after this"
    )
    parser.add_argument(
        "--headless", action="store_true", help="no screen: input and output are the program's"
    )
    parser.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- AGENT …")
    return parser


def main(command: str, words: list[str]) -> int:
    options = _parser().parse_args(words)
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise UsageError("There is no program to run.", hint="Say `taskpass run -- claude`.")
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError(
            "This terminal is inside a task already; a task does not start another one.",
            hint="Use a terminal outside it.",
        )
    request = {
        "argv": argv,
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "purpose": options.purpose,
        "profile": options.profile,
        "contain": options.contain,
        "max_age": options.max_age * 60,
        "interactive": not options.headless,
    }
    if options.headless:
        from supervisor.cli.headless import run_headless

        return run_headless(request)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "`taskpass run` shows the agent in a terminal, and there is none here.",
            hint="Add --headless to run without a screen.",
        )
    return _run_in_terminal(request)


def _run_in_terminal(request: dict[str, object]) -> int:
    import msgspec

    from supervisor.cli.session import with_client
    from supervisor.client import AsyncClient
    from supervisor.wire import StartTask
    from tui.app import TaskpassApp

    size = os.get_terminal_size()
    # The last line is ours: who runs, where, and what waits.
    start = msgspec.convert(
        request | {"cols": size.columns, "rows": max(1, size.lines - 1)}, StartTask
    )
    started = with_client(lambda client: client.start_task(start))
    app = TaskpassApp(AsyncClient(), shape="run", task=started.task.id)
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
