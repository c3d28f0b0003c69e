"""Tasks are started from the screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events
from textual.widgets import Input

from supervisor.errors import AgentNotFound
from supervisor.protocol import wire
from supervisor.protocol.setup import NeedsView
from tests.support.fake_client import NOW
from tests.support.repositories import a_repository
from tests.support.tui_driver import Driver, running
from tui.launching import FoundAgent
from tui.screens.needs import NeedsScreen
from tui.screens.new_task import NewTaskDialog
from tui.screens.unlock import UnlockScreen
from tui.widgets.line import Line


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return a_repository(tmp_path / "shop")


async def opened(d: Driver) -> NewTaskDialog:
    await d.lead("n")
    await d.until(lambda: isinstance(d.app.screen, NewTaskDialog))
    await d.until(lambda: d.app.focused is not None and d.app.focused.id == "new-command")
    assert isinstance(d.app.screen, NewTaskDialog)
    return d.app.screen


async def test_a_new_task_is_started_and_shown() -> None:
    async with running(wire.Snapshot(session="s", now=NOW), task="") as d:
        await d.until(lambda: "taskpass run -- claude" in d.said("welcome"))
        dialog = await opened(d)
        await d.press("tab", *"docs")
        dialog.query_one("#new-cwd", Input).value = "/tmp"
        await d.press("enter")
        await d.until(lambda: d.client.requests("start_task"))
        request = d.client.requests("start_task")[0]
        assert (request.argv, request.purpose, request.cwd) == (("claude",), "docs", "/tmp")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-1")


async def test_what_is_typed_in_one_burst_goes_into_its_fields() -> None:
    async with running() as d:
        dialog = await opened(d)
        for key in ("s", "h", "tab", "o", "k"):
            d.app.post_message(events.Key(key, None if key == "tab" else key))
        fields = dialog.query(Input)
        await d.until(lambda: [field.value for field in fields][:2] == ["sh", "ok"])


async def test_a_branch_is_proposed_from_all_that_was_typed_in_one_burst() -> None:
    async with running() as d:
        dialog = await opened(d)
        for key in ("tab", *"fix", "tab", "tab", "pagedown"):
            d.app.post_message(events.Key(key, key if len(key) == 1 else None))
        branch = dialog.query_one("#new-branch", Input)
        await d.until(lambda: branch.value == "agent/fix")


@pytest.mark.parametrize(
    ("command", "cwd", "sentence"),
    [
        ("", "/tmp", "There is no command."),
        ("claude 'x", "/tmp", "a quote that does not close"),
        ("claude", "/no/such/place", "There is no directory /no/such/place."),
        ("claud", "/tmp", "There is no program claud."),
    ],
)
async def test_what_cannot_be_started_is_one_sentence(
    command: str, cwd: str, sentence: str
) -> None:
    async with running() as d:
        d.client.refuse = AgentNotFound("There is no program claud.")
        dialog = await opened(d)
        dialog.query_one("#new-command", Input).value = command
        dialog.query_one("#new-cwd", Input).value = cwd
        await d.press("enter")
        await d.until(lambda: sentence in dialog.query_one("#new-say", Line).said)


async def test_agents_found_here_are_chosen_with_one_key() -> None:
    agents = (FoundAgent("codex", "Codex 0.169.0"), FoundAgent("other", "Other 1"))
    async with running(agents=lambda: agents) as d:
        dialog = await opened(d)
        command = dialog.query_one("#new-command", Input)
        await d.until(lambda: command.value == "codex")  # claude is not among them
        hint = dialog.query_one("#new-hint", Line)
        await d.until(lambda: "found here: Codex 0.169.0 · Other 1" in hint.said)
        await d.press("pagedown")
        await d.until(lambda: command.value == "other")
        await d.press("pageup")
        await d.until(lambda: command.value == "codex")


async def test_limits_policy_and_a_branch_of_its_own(repository: Path) -> None:
    async with running() as d:
        dialog = await opened(d)
        dialog.query_one("#new-cwd", Input).value = str(repository)
        await d.press("tab", *"fix it", "tab", "tab", "pagedown")
        named = ("branch", "preset", "options")
        branch, preset, options = (dialog.query_one(f"#new-{name}", Input) for name in named)
        await d.until(lambda: branch.value == "agent/fix-it")
        await d.press("tab", *"calls=5", "tab", "pagedown")
        await d.until(lambda: preset.value == "standard")
        await d.press("tab", "pageup")
        await d.until(lambda: options.value == "overlay record")
        await d.press("enter")
        await d.until(lambda: d.client.requests("start_task"))
        request = d.client.requests("start_task")[0]
        assert request.cwd == str(repository.parent / "shop.worktrees" / "fix-it")
        assert (request.max_calls, request.preset) == (5, "standard")
        assert (request.overlay, request.record) == (True, True)


async def test_a_work_tree_without_its_task_is_taken_back(repository: Path) -> None:
    async with running() as d:
        dialog = await opened(d)
        dialog.query_one("#new-cwd", Input).value = str(repository)
        dialog.query_one("#new-branch", Input).value = "agent/x"
        d.client.start_problem = AgentNotFound("There is no program claude.")
        await d.press("enter")
        await d.until(lambda: "no program" in dialog.query_one("#new-say", Line).said)
        assert not (repository.parent / "shop.worktrees" / "x").exists()


WAITING = NeedsView(workspace="/tmp", digest="d", needs=("read api.example.com",), state="waiting")


async def asked_for_needs(d: Driver) -> tuple[NewTaskDialog, NeedsScreen]:
    """Start a task in a project whose needs nobody has answered for yet."""
    d.client.project = WAITING
    dialog = await opened(d)
    dialog.query_one("#new-cwd", Input).value = "/tmp"
    await d.press("enter")
    await d.until(lambda: isinstance(d.app.screen, NeedsScreen))
    assert isinstance(d.app.screen, NeedsScreen)
    return dialog, d.app.screen


async def test_what_a_project_needs_is_accepted_by_a_code_alone() -> None:
    async with running() as d:
        _, asked = await asked_for_needs(d)
        await d.until(lambda: "read api.example.com" in asked.query_one("#needs-list", Line).said)
        await d.press("enter", "y", "space", "enter")
        assert d.client.requests("answer_needs") == d.client.requests("start_task") == []
        asked.query_one("#needs-code", Input).value = ""
        await d.press(*asked.code.lower())
        await d.until(lambda: d.client.requests("start_task"))
        assert d.client.requests("answer_needs") == [True]


async def test_needs_left_out_start_the_task_without_them_and_escape_does_not() -> None:
    async with running() as d:
        dialog, _ = await asked_for_needs(d)
        await d.press("escape")
        await d.until(lambda: "Not started." in dialog.query_one("#new-say", Line).said)
        assert d.client.requests("answer_needs") == d.client.requests("start_task") == []
        await d.press("enter")
        await d.until(lambda: isinstance(d.app.screen, NeedsScreen))
        await d.press("ctrl+d")
        await d.until(lambda: d.client.requests("start_task"))
        assert d.client.requests("answer_needs") == [False]


async def test_locked_secrets_are_unlocked_on_the_way() -> None:
    async with running() as d:
        d.client.locked = True
        dialog = await opened(d)
        dialog.query_one("#new-cwd", Input).value = "/tmp"
        await d.press("enter")
        await d.until(lambda: isinstance(d.app.screen, UnlockScreen))
        say = d.app.screen.query_one("#unlock-say", Line)
        await d.press(*"wrong", "enter")
        await d.until(lambda: "That is not the passphrase." in say.said)
        await d.press(*"open", "space", *"sesame", "enter")
        await d.until(lambda: len(d.client.requests("start_task")) == 2)
        await d.until(lambda: d.app.screen is d.app.main)
