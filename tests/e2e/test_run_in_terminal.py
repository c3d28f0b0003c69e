"""`taskpass run -- claude` and `-- codex` as a person sees them: the agent's own screen in a
pane, one line below it, and the dock where approvals are answered by keys.
"""

from __future__ import annotations

import contextlib
from typing import Any

from tests.support.live import TASKPASS, Install, until
from tests.support.scripted_model import script
from tests.support.supervised import Supervised
from tests.support.terminal import Terminal
from tests.support.workspace import LEADER

PUSH = "git push origin agent/work; echo pushed-$((40 + 2))"
FORCE = "git push --force origin agent/work; echo forced-$((40 + 2))"


def opened(supervised: Supervised, *steps: Any, cols: int = 100, rows: int = 36) -> Terminal:
    """`taskpass run -- AGENT` in a terminal, with a first prompt."""
    return Terminal(
        [*TASKPASS, "run", "--purpose", "publish the work", "--",
         *supervised.agent.argv, script(*steps)],
        cwd=supervised.install.project,
        environ=supervised.environ,
        cols=cols,
        rows=rows,
    )  # fmt: skip


async def open_dock(terminal: Terminal, command: str) -> None:
    """Wait for a question, open it with the leader, and read it to its end."""
    for patience in (3, 3, 3, 30):
        # The one that was just answered may still be counted: then nothing opens yet.
        await terminal.shows("▲1")
        terminal.press(LEADER, "a")
        with contextlib.suppress(AssertionError) if patience < 30 else contextlib.nullcontext():
            await terminal.shows(f"┃ {command}", patience)
            break
    if "read" in (await terminal.shows(r"armed ·|read to the end"))[0]:
        terminal.press("end")
        await terminal.shows("armed ·")


async def leave(terminal: Terminal) -> None:
    """End the agent as a person does; its exit code is ours."""
    terminal.type("/exit")
    # Typed in one burst with the rest, the end of the line would be taken for a paste's.
    await terminal.shows("(?i)/exit .*exit")
    terminal.press("enter")
    assert await terminal.exit_code() == 0


async def test_a_person_answers_in_the_terminal_where_the_agent_runs(
    supervised: Supervised,
) -> None:
    async with opened(supervised, supervised.shell(PUSH), supervised.shell(FORCE)) as terminal:
        await open_dock(terminal, "git push origin")
        terminal.press("enter", "space", "y", "1")  # answer nothing
        terminal.press("O")
        await terminal.shows("approved: git push origin")
        await open_dock(terminal, "git push --force")
        terminal.press("O")  # not before its code
        code = await terminal.shows(r"type the code +([A-Z][0-9])")
        terminal.type(code[1])
        await terminal.shows("✓")
        terminal.press("O")
        await terminal.shows("DONE")
        await leave(terminal)
    pushed, forced = supervised.model.last.results.values()
    assert "pushed-42" in pushed
    assert "forced-42" in forced
    answers = await supervised.records("approval.answered")
    assert [one["answer"] for one in answers] == ["approved", "approved"]
    (ended,) = await supervised.records("task.ended")
    assert ended["exit_code"] == 0


async def test_a_person_denies_at_80_by_24_and_the_model_is_told(supervised: Supervised) -> None:
    async with opened(supervised, supervised.shell(FORCE), cols=80, rows=24) as terminal:
        await open_dock(terminal, "git push --force")
        terminal.press("n")
        await terminal.shows("why not, for the agent")
        terminal.type("open a pull request")
        terminal.press("enter")
        await terminal.shows("denied: git push --force")
        await terminal.shows("DONE")
        await leave(terminal)
    assert "open a pull request" in supervised.last_result()
    (answered,) = await supervised.records("approval.answered")
    assert answered["answer"] == "denied"
    assert not await supervised.records("call.opened")


async def test_revoke_by_key_ends_the_agent(supervised: Supervised) -> None:
    async with opened(supervised, supervised.shell("touch begun; sleep 60")) as terminal:
        begun = supervised.install.project / "begun"
        await until(begun.exists, "the call to run")
        terminal.press(LEADER, "x")
        assert await terminal.exit_code() != 0
    (revoked,) = await supervised.records("task.revoked")
    assert revoked["by"]
    (killed,) = await supervised.recorded("task.killed")
    assert killed["processes_left"] == 0


async def test_that_nothing_contains_a_task_stands_on_the_screen_all_the_time(
    install: Install,
) -> None:
    argv = [*TASKPASS, "run", "--contain", "off", "--", "sh", "-c", "echo up; read answer"]
    async with Terminal(argv, cwd=install.project, environ=install.environ, cols=80) as terminal:
        await terminal.shows("up")
        await terminal.shows("uncontained")
        terminal.press("enter")
        assert await terminal.exit_code() == 0
