"""Settings and hooks that are written while an agent runs that nothing contains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from supervisor.review.words import sentence
from tests.support.agents import RealAgent
from tests.support.live import Install, until
from tests.support.scripted_model import ScriptedModel
from tests.support.supervised import Supervised, supervise

_NO_HOOKS = '{"disableAllHooks": true}'
# What the agent runs says nothing of what it writes.
_QUIET = (
    "import pathlib\nfor name in ('.mcp.json', '.git/hooks/pre-commit'):\n"
    "    pathlib.Path(name).write_text('planted')\n"
)


def contained_not(install: Install) -> None:
    install.configure("")
    install.project.joinpath(".git/hooks").mkdir(parents=True)
    install.project.joinpath(".git/HEAD").write_text("ref: refs/heads/main\n")
    install.project.joinpath("build.py").write_text(_QUIET)
    folder = install.paths.config / "policy"
    (folder / "build.cedar").write_text(
        '@id("tests/build")\npermit (principal, action == Action::"run", resource)\n'
        'when { context.program like "python*" };\n'
    )


def contents(folder: str) -> list[str]:
    return [file.read_text() for file in Path(folder).iterdir()]


async def incidents(supervised: Supervised, count: int = 1) -> list[dict[str, Any]]:
    return await supervised.recorded("incident.settings_changed", count)


async def test_what_a_call_writes_unannounced_is_put_back_and_on_record(
    claude_code: RealAgent, install: Install, scripted_model: ScriptedModel
) -> None:
    contained_not(install)
    supervised = supervise(claude_code, install, scripted_model)
    planted = install.project / ".mcp.json"
    hook = install.project / ".git/hooks/pre-commit"
    running = await supervised.start(
        supervised.shell("python3 build.py; touch begun; until test -e told; do sleep 0.05; done"),
        options=("--contain", "off"),
    )
    await until((install.project / "begun").exists, "the call")
    await until(lambda: not planted.exists() and not hook.exists(), "both to be put back")
    (install.project / "told").touch()
    await supervised.end(running)
    found = [each["detail"] for each in await incidents(supervised)]
    assert {path for each in found for path in each["put_back"]} == {str(planted), str(hook)}
    assert {text for each in found for text in contents(each["aside"])} == {"planted"}
    said = [sentence(each) for each in await incidents(supervised)]
    assert all(each.startswith("settings changed: ") for each in said)
    assert all(each.endswith(", put back") for each in said)


async def test_what_somebody_else_writes_is_on_record_and_stays(
    claude_code: RealAgent, install: Install, scripted_model: ScriptedModel
) -> None:
    """No call is open: it may be the person."""
    contained_not(install)
    supervised = supervise(claude_code, install, scripted_model)
    mine = install.home / ".claude/settings.json"
    running = await supervised.start("STALL", options=("--contain", "off"))
    await until(lambda: scripted_model.stalled, "the agent to wait for its model")
    mine.write_text(_NO_HOOKS)
    (found,) = await incidents(supervised)
    assert found["detail"] == {"paths": [str(mine)], "put_back": []}
    assert mine.read_text() == _NO_HOOKS
    running.terminate()
    await supervised.end(running)
