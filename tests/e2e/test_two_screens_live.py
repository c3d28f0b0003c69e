"""Two screens at once: what one does the other shows, and one answer counts."""

from __future__ import annotations

from tests.e2e.test_run_in_terminal import FORCE, LEADER, PUSH, leave, open_dock, opened
from tests.support.live import TASKPASS
from tests.support.supervised import Supervised
from tests.support.terminal import Terminal


async def test_either_answers_and_the_other_says_who_did(supervised: Supervised) -> None:
    install = supervised.install
    steps = (supervised.shell(PUSH), supervised.shell(FORCE))
    async with (
        opened(supervised, *steps) as run,
        Terminal(TASKPASS, cwd=install.project, environ=install.environ, rows=40) as workspace,
    ):
        for screen in (run, workspace):
            await screen.shows("▲1")
        await open_dock(run, "git push origin")
        run.press("O")
        await run.shows("approved: git push origin")
        await workspace.shows(r"approved by \S+@\S+, not on this\s.*screen: git push origin")
        await open_dock(workspace, "git push --force")
        workspace.press("d")
        await workspace.shows("denied: git push --force")
        await run.shows(r"denied by \S+@\S+, not on this\s.*screen: git push --force")
        await run.shows("DONE")
        workspace.press(LEADER, "q")
        assert await workspace.exit_code() == 0
        await leave(run)
    first, second = supervised.model.last.results.values()
    assert "pushed-42" in first
    assert "forced-42" not in second
    answers = await supervised.records("approval.answered")
    assert [one["answer"] for one in answers] == ["approved", "denied"]
