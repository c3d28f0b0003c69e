"""Real Claude Code and real Codex at a day's work in a container.

They edit with their own tools, run tests, commit, install a package through the proxy and send a
subagent; what lies on the disk afterwards is what counts.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.support.npm_registry import ARCHIVE, NpmRegistry
from tests.support.scripted_model import call, script
from tests.support.supervised import Supervised

_TEST = """
import unittest
from margin import margin

class Margin(unittest.TestCase):
    def test_width(self):
        self.assertEqual(margin("x", 2), "  x")

unittest.main()
"""
_BROKEN, _RIGHT = "return text", "return ' ' * width + text"


def git(supervised: Supervised, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=supervised.install.project, env=supervised.install.environ,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def begun_project(supervised: Supervised, registry: NpmRegistry, tier: str) -> None:
    """A repository with a failing test and a dependency that is not installed yet."""
    project = supervised.install.project
    (project / "margin.py").write_text(f"def margin(text, width):\n    {_BROKEN}\n")
    (project / "test_margin.py").write_text(_TEST)
    (project / "package.json").write_text(
        '{"name": "work", "private": true, "dependencies": {"left-margin": "^1.0.0"}}\n'
    )
    (project / ".gitignore").write_text("node_modules\n__pycache__\n")
    git(supervised, "init", "-q", "-b", "main")
    git(supervised, "config", "user.name", "Ana")
    git(supervised, "config", "user.email", "ana@example.com")
    git(supervised, "add", ".")
    git(supervised, "commit", "-qm", "begin")
    roots = supervised.install.root / "roots.pem"
    registry.authority.cert_pem.write_to_path(str(roots))
    supervised.install.configure(
        f'[containment]\ntier = "{tier}"\n'
        f'[network]\nextra_roots = "{roots}"\nallow_private = ["{registry.host}"]\n'
    )


def edit(supervised: Supervised) -> list[Any]:
    """Steps that mend the function with the agent's edit tool."""
    file = str(supervised.install.project / "margin.py")
    if supervised.is_claude:
        return [
            call("Read", file_path=file),
            call("Edit", file_path=file, old_string=_BROKEN, new_string=_RIGHT),
        ]
    patch = (
        "*** Begin Patch\n*** Update File: margin.py\n@@\n def margin(text, width):\n"
        f"-    {_BROKEN}\n+    {_RIGHT}\n*** End Patch"
    )
    return [supervised.shell(f"apply_patch <<'EOF'\n{patch}\nEOF")]


def subagent(supervised: Supervised, command: str) -> Any:
    """A step that has a subagent run a command."""
    errand = script(supervised.shell(command))
    if supervised.is_claude:
        return call("Agent", description="errand", prompt=errand, subagent_type="general-purpose")
    return call("multi_agent_v1.spawn_agent", message=errand)


@pytest.mark.parametrize("tier", ["A", "B"])
async def test_an_agent_does_its_daily_work(
    supervised: Supervised, npm_registry: NpmRegistry, tier: str
) -> None:
    begun_project(supervised, npm_registry, tier)
    project = supervised.install.project
    use = "node -p \"require('left-margin')('used', 4)\""
    output = await supervised.run(
        *edit(supervised),
        supervised.shell("python3 test_margin.py"),
        supervised.shell("git add -A && git commit -qm 'Margins have a width' && git log -1"),
        supervised.shell(f"npm install --registry {npm_registry.url}"),
        supervised.shell(use),
        subagent(supervised, "echo by-$((40 + 2)) > errand"),
        supervised.shell("until test -s errand; do sleep 0.05; done; cat errand"),
    )
    # A subagent's conversation goes on beside it.
    longest = max(supervised.model.requests, key=lambda request: len(request.results))
    *_, tested, committed, installed, used, _, errand = longest.results.values()
    assert "OK" in tested, output
    assert "Margins have a width" in committed
    assert "added 1 package" in installed
    assert "    used" in used
    assert _RIGHT in (project / "margin.py").read_text()
    assert git(supervised, "log", "--format=%an: %s") == "Ana: Margins have a width\nAna: begin\n"
    assert git(supervised, "status", "--porcelain") == "?? errand\n?? package-lock.json\n"
    # The package is whole: npm has checked the digest that the registry told.
    assert (project / "node_modules/left-margin/index.js").exists()
    assert f"/left-margin/-/{ARCHIVE}" in npm_registry.seen
    assert "by-42" in errand
    started, subagents = await supervised.records("task.started")
    assert started["tier"] == subagents["tier"] == tier
    assert subagents["parent"] == started["task"]
    assert not await supervised.records("call.denied")
    refused = await supervised.records("use.denied")
    assert {use["call"] for use in refused} <= {"agent"}  # Codex looks for its maker's servers
    uses = await supervised.records("use.allowed")
    assert {
        f"GET {npm_registry.host}{path}" for path in npm_registry.seen if "/-/npm" not in path
    } <= {use["effect"] for use in uses}
