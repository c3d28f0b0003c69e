"""`taskpass`: the workspace with every running task."""

from __future__ import annotations

import os
import sys

from supervisor import places
from supervisor.errors import UsageError


def main(command: str, words: list[str]) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "The workspace needs a terminal.", hint="Use `taskpass ps` or `taskpass history`."
        )
    if not os.path.exists(places.setup_markers()[0]):
        from supervisor.cli.first_run import offer_first

        if not offer_first(os.getcwd()):
            return 130
    from supervisor.paths import user_paths
    from supervisor.protocol import handshake

    handshake.start_ahead(user_paths())  # to load the screen takes about as long
    from supervisor.cli.found_agents import found_agents
    from supervisor.client_setup import SetupClient
    from tui import settings
    from tui.app import TaskpassApp

    app = TaskpassApp(
        SetupClient(), shape="workspace", agents=found_agents, settings=settings.load()
    )
    code = app.run()
    if app.farewell:
        print(f"taskpass: {app.farewell}", file=sys.stderr)
    return code or 0
