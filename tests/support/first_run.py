"""A first run to look at, and a person who has read it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from textual.pilot import Pilot

from tui.first_run import FirstRunApp, Row, Sheet

ROWS = (
    Row(
        "github.com",
        "gh · ana, OAuth token · 12 days",
        "lent by use, asked of gh",
        "b lends it by use: `gh auth token --hostname github.com` is asked at each call, nothing "
        "is copied, and a task sees a stand-in. It opens github.com, api.github.com.",
        choosable=True,
        chosen=True,
    ),
    Row(
        ".env",
        "STRIPE_SECRET_KEY (live!), SENTRY_DSN",
        "into the vault",
        "b moves the values into the vault; the file keeps stand-ins.",
        choosable=True,
        chosen=True,
    ),
    Row("~/.ssh/id_ed25519", "no passphrase · 412 days", "hidden in tier A"),
    Row("~/.aws/credentials", "aws · default: static key · 412 days", "hidden in tier A"),
    Row(
        "~/.netrc",
        "api.heroku.com",
        "stays readable",
        "An agent that runs here can read ~/.netrc whatever taskpass does.",
        exposed=True,
    ),
    Row("this terminal", "environment · GH_TOKEN, NPM_TOKEN +2", "not handed on"),
)
SHEET = Sheet(
    agents=(
        "Claude Code 2.1.330 (logged in: its own log-in stays its own)",
        "Codex 0.169.0 (not logged in)",
    ),
    containment="tier A: what a task must not reach is not there for it",
    contained=True,
    rows=ROWS,
)


async def press_b(pilot: Pilot[Any], keys: Sequence[str] = ("b",)) -> None:
    """Press keys once the screen takes them."""
    app = pilot.app
    assert isinstance(app, FirstRunApp)
    deadline = time.monotonic() + 10
    while not app.armed:
        assert time.monotonic() < deadline, "it never took a key"
        await pilot.pause(0.02)
    await pilot.press(*keys)
    await pilot.pause()
