"""Real agents work on an overlay as always, and their work waits for the person."""

from __future__ import annotations

import asyncio
import subprocess

from tests.e2e.test_daily_work_contained import edit
from tests.support.live import Install
from tests.support.supervised import Supervised

_BEFORE, _AFTER = "    return text\n", "    return ' ' * width + text\n"


def _git(install: Install, *words: str) -> str:
    command = ["git", "-C", str(install.project), "-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run([*command, *words], check=True, capture_output=True, text=True).stdout


async def test_an_edit_and_a_commit_wait_in_the_overlay(supervised: Supervised) -> None:
    install = supervised.install
    file = install.project / "margin.py"
    file.write_text(f"def margin(text, width):\n{_BEFORE}")
    _git(install, "init", "-q")
    _git(install, "add", ".")
    _git(install, "commit", "-qm", "first")
    commit = "git -c user.name=t -c user.email=t@t commit -qam mended && git log --oneline"
    output = await supervised.run(
        *edit(supervised), supervised.shell(commit), options=("--overlay",)
    )
    assert "mended" in supervised.last_result(), output
    assert file.read_text().endswith(_BEFORE)
    assert _git(install, "log", "--format=%s") == "first\n"
    await supervised.recorded("changes.kept")
    applied = await asyncio.to_thread(install.cli, "changes", "apply")
    assert applied.returncode == 0, applied.stderr
    assert file.read_text().endswith(_AFTER)
    assert _git(install, "log", "--format=%s") == "mended\nfirst\n"
    _git(install, "fsck", "--strict")
