"""The README's pictures: real agents, a live supervisor, and ids that are in its ledger.

`TASKPASS_SCREENSHOTS=1 pytest tests/e2e/test_screenshots.py` writes them to `screenshots/`, as
SVG and, with the machine's DejaVu Sans Mono, as PNG. Look at each one afterwards.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import resvg_py

from supervisor.cli import first_run
from supervisor.client import AsyncClient
from supervisor.protocol import wire
from tests.support.agents import RealAgent
from tests.support.live import ApiServer, Install, until
from tests.support.photographer import Photographer
from tests.support.scripted_model import ScriptedModel, call
from tests.support.supervised import Supervised, supervise
from tui.first_run import FirstRunApp

_FOLDER = Path(__file__).parents[2] / "screenshots"
_KEEP = bool(os.environ.get("TASKPASS_SCREENSHOTS"))
_ID = re.compile(r"\b[tcugla]-[0-9a-hjkmnp-tv-z]{10}\b")
# The PNG's font: what it is called, its size that closes the gaps in frames, glyphs it lacks.
_FONT = "DejaVu Sans Mono"
_FOR_PNG = {
    "Fira Code": _FONT,
    "monospace": _FONT,
    "font-size: 20px": "font-size: 21px",
    "⎿": "└",
    "⏵": "►",
}
WIDE, NARROW = (120, 40), (80, 24)

FIX = "The checkout test is flaky. Fix it and push the branch."
TELL = "Tell the customers of invoice 4711 that it is corrected."
_CURL = 'curl -sS -H "Authorization: Bearer $API_TOKEN" https://{host}'


_LOG_INS = {
    ".claude/.credentials.json": "{}",
    ".config/gh/hosts.yml": "github.com:\n    user: ana\n    oauth_token: gho_0123456789abcdef\n",
    "project/.env": "STRIPE_SECRET_KEY=sk_live_51H8f2KLkjh34\nJWT_SECRET=4fz81kq90xvwpl27\n",
    ".ssh/id_ed25519": "-----BEGIN PRIVATE KEY-----\n",
    ".aws/credentials": "[default]\naws_access_key_id = AKIA0123\naws_secret_access_key = x\n",
    ".netrc": "machine api.heroku.com login ana password x\n",
}


def plays(host: str) -> dict[str, list[Any]]:
    """What the scripted model does for each prompt."""

    def bash(command: str, why: str) -> dict[str, Any]:
        return call("Bash", command=command, description=why)

    curl = _CURL.format(host=host)
    return {
        FIX: [
            ["I'll look at the failing test first.", bash("./test checkout", "Run the test")],
            [
                "It waits for a fixed time. I'll wait for the event instead.",
                bash("sed -i 's/sleep 1/wait_for paid/' test && ./test checkout", "Fix and run"),
            ],
            [bash(f"{curl}/ci/checkout", "Look at the last CI run")],
            [
                "All green. Pushing the branch for review.",
                bash("git push origin agent/flaky-checkout", "Push the branch for review"),
            ],
        ],
        TELL: [
            [call("exec_command", cmd="cat .env")],
            ["I am not given that file. The variable will do.",
             call("exec_command", cmd=f"{curl}/invoices/4711")],
            ["I'll follow the deliveries while they go out.",
             call("exec_command", cmd=f"{curl}/stream/deliveries | grep -m 1 bounced")],
            "The deliveries still go out; I am watching for one that bounces.",
        ],
    }  # fmt: skip


async def test_pictures(
    install: Install,
    api: ApiServer,
    scripted_model: ScriptedModel,
    claude_code: RealAgent,
    codex: RealAgent,
    client: AsyncClient,
) -> None:
    _project(install)
    scripted_model.plays |= plays(api.host)
    claude = supervise(claude_code, install, scripted_model)
    other = supervise(codex, install, scripted_model)
    first = await _start(client, claude, FIX, "flaky checkout")
    second = await _start(client, other, TELL, "invoice 4711")
    # Resized in the first moments of its screen, Codex 0.169.0 has ended with a panic (once, in
    # many runs): the screen opens, and gives each its size, when both are at work.
    await until(lambda: _called(install) >= {first.id, second.id}, "a call of both")

    def workspace() -> dict[str, str]:
        with Photographer(install, WIDE) as screen:
            screen.shows("flaky checkout", "invoice 4711", "wants", "still go out")
            screen.press("ctrl+backslash", "2")
            screen.shows("GRANTS  task 2", "└ c-")
            taken = {"workspace": screen.picture()}
            screen.press("ctrl+backslash", "1", "ctrl+backslash", "a")
            screen.shows("git push origin agent/flaky-checkout", "why asked", "armed")
            taken["approval"] = screen.picture()
            screen.press("escape", "ctrl+backslash", "h")
            screen.shows("HISTORY", "chain ok", "DENY")
            taken["history"] = screen.picture()
        return taken

    def narrow() -> dict[str, str]:
        with Photographer(install, NARROW, shape="run", task=first.id) as screen:
            screen.shows("git push origin", "▲1")
            return {"run": screen.picture()}

    taken = await asyncio.to_thread(workspace) | await asyncio.to_thread(narrow)
    records = await asyncio.to_thread(install.records)
    ledger = str(records)
    for name, svg in taken.items():
        shown = set(_ID.findall(html.unescape(svg)))
        assert all(found in ledger for found in shown), f"{name} shows {shown}"
    assert _ID.search(html.unescape(taken["history"])), "the history shows no record's ids"
    assert {first.id, second.id} == {r["task"] for r in records if r["kind"] == "task.started"}
    agents = {r["agent"] for r in records if r["kind"] == "task.started"}
    assert agents == {f"claude-code {claude_code.version}", f"codex {codex.version}"}
    if _KEEP:
        for name, svg in taken.items():
            _write(name, svg)


async def test_picture_of_the_first_run(
    install: Install, claude_code: RealAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in _LOG_INS.items():
        path = install.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (time.time() - 40 * 86400,) * 2)
    monkeypatch.setattr(FirstRunApp, "ARMED_AFTER", 0.0)
    monkeypatch.setenv("COLORTERM", "truecolor")
    survey = first_run.survey(str(install.project), claude_code.argv)
    app = FirstRunApp(survey.sheet, survey.broker)
    async with app.run_test(size=(100, 24)) as pilot:
        await pilot.pause()
        svg = app.export_screenshot()
    shown = html.unescape(svg).replace("\xa0", " ")
    for expected in (
        f"Claude Code {claude_code.version}",
        "lent by use",
        "into the vault",
        "~/.ssh",
    ):
        assert expected in shown
    if _KEEP:
        _write("first-run", svg)


def _called(install: Install) -> set[str]:
    """The tasks that have announced a call."""
    kinds = {"call.opened", "call.denied"}
    return {record["task"] for record in install.records() if record["kind"] in kinds}


def _project(install: Install) -> None:
    """A repository with a test that can be fixed."""
    test = install.project / "test"
    test.write_text(
        "#!/bin/sh\n# sleep 1\n"
        'if grep -q "^# sleep" "$0"; then echo "checkout: 1 failed, 41 passed"; exit 1; fi\n'
        'echo "checkout: 42 passed"\n'
    )
    test.chmod(0o755)
    (install.project / ".env").write_text("API_TOKEN=left-here\n")
    git: Callable[..., Any] = lambda *words: subprocess.run(  # noqa: E731
        ["git", *words], cwd=install.project, check=True, capture_output=True
    )
    git("init", "-b", "agent/flaky-checkout")


async def _start(
    client: AsyncClient, agent: Supervised, prompt: str, purpose: str
) -> wire.TaskView:
    started = await client.start_task(
        wire.StartTask(
            argv=(*agent.agent.argv, prompt),
            cwd=str(agent.install.project),
            environ=agent.environ,
            purpose=purpose,
            cols=WIDE[0],
            rows=WIDE[1],
        )
    )
    return started.task


def _write(name: str, svg: str) -> None:
    _FOLDER.mkdir(exist_ok=True)
    (_FOLDER / f"{name}.svg").write_text(svg)
    drawn = svg
    for written, instead in _FOR_PNG.items():
        drawn = drawn.replace(written, instead)
    png = bytes(resvg_py.svg_to_bytes(svg_string=drawn, zoom=1.5, font_family=_FONT))
    (_FOLDER / f"{name}.png").write_bytes(png)
