"""Whose key is what, and what a mistake in it says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.keys import _character_to_key

from supervisor.errors import UsageError
from tests.support.tui_driver import running
from tui.actions.habits import Habits
from tui.app import TaskpassApp
from tui.keymap import COMMANDS, PRESETS, key_named, key_shown, keymap, leader_named, shown
from tui.screens.help import HelpPage
from tui.settings import Settings
from tui.widgets.line import Line


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_has_a_key_for_every_command_and_none_twice(preset: str) -> None:
    made = keymap(preset)
    assert [command.name for command in made.commands] == [command.name for command in COMMANDS]
    assert len({command.key for command in made.commands}) == len(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_an_action_of_the_app(command: object) -> None:
    assert hasattr(TaskpassApp, f"action_{command.name}")  # type: ignore[attr-defined]
    assert issubclass(TaskpassApp, Habits)


@pytest.mark.parametrize(
    ("given_keys", "said"),
    [
        ({"zom": "m"}, "There is no action 'zom'. Is 'zoom' meant?"),
        ({"zoom": "g"}, "The key g is taken twice: by 'zoom' and 'grants'."),
        ({"zoom": "meta"}, "There is no key 'meta'."),
        ({"zoom": ""}, "There is no key ''."),
        ({"zoom": "3"}, "3 cannot be the key of 'zoom': after the leader it shows a task."),
        ({"zoom": "escape"}, "esc cannot be the key of 'zoom': after the leader it leaves."),
        ({"zoom": "ctrl+\\"}, "^\\ cannot be the key of 'zoom': it is the leader"),
        ({"zoom": "F12"}, "F12 cannot be the key of 'zoom': it is the leader"),
    ],
)
def test_a_mistake_in_a_key_is_said_in_one_sentence(given_keys: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        keymap(keys=given_keys)
    assert str(caught.value).startswith(said)
    assert caught.value.hint


@pytest.mark.parametrize("leader", ["a", "X", "?", "enter", "tab", "space", "shift+tab", "up"])
def test_what_is_typed_alone_is_no_leader(leader: str) -> None:
    with pytest.raises(UsageError, match="alone cannot be the leader"):
        leader_named(leader)


@pytest.mark.parametrize("leader", ["ctrl+c", "ctrl+d", "ctrl+m", "ctrl+["])
def test_what_programs_cannot_do_without_is_no_leader(leader: str) -> None:
    with pytest.raises(UsageError, match="cannot do without"):
        leader_named(leader)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("ctrl+\\", "ctrl+backslash"),
        ("Ctrl+B", "ctrl+b"),
        ("F5", "f5"),
        ("shift+tab", "shift+tab"),
        ("?", "question_mark"),
        ("X", "X"),
        ("+", "plus"),
        ("ctrl++", "ctrl+plus"),
        ("alt+enter", "alt+enter"),
    ],
)
def test_keys_are_written_as_people_write_them(written: str, key: str) -> None:
    assert key_named(written) == key


@settings(deadline=None)
@given(
    st.one_of(
        st.characters(min_codepoint=33, max_codepoint=126).map(_character_to_key),
        st.sampled_from(["f1", "f11", "tab", "shift+tab", "space", "enter", "escape", "up"]),
        st.tuples(st.sampled_from(["ctrl", "alt", "ctrl+alt"]), st.sampled_from("abcdefgxyz")).map(
            "+".join
        ),
    )
)
def test_what_is_printed_of_a_key_names_it_again(key: str) -> None:
    assert key_shown(shown(key)) == key


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_a_key_or_refused_and_never_crashes(written: str) -> None:
    try:
        key = key_named(written)
    except UsageError:
        return
    assert key_named(key) == key


@pytest.mark.parametrize("preset", PRESETS)
async def test_what_stands_on_the_screen_are_the_keys_in_force(preset: str) -> None:
    keys = keymap(preset, keys={"history": "H"})
    async with running(settings=Settings(keys=keys)) as d:
        assert f"{keys.leader_shown} or F12" in d.said("strip")
        assert "H history" in d.said("strip")
        assert f"{keys.chord('answer')} answer" in d.said("attention")
        await d.press(keys.leader)
        assert f"{keys.command('new_task').shown} new" in d.said("which-key")
        await d.press(keys.command("help").key)
        await d.until(lambda: isinstance(d.app.screen, HelpPage))
        page = d.app.screen.query_one("#page", Line).said
        assert f"Press {keys.leader_shown}" in page
        for command in keys.commands:
            assert f"  {command.shown} " in page
            assert command.title in page


async def test_another_leader_is_the_leader_and_the_old_one_is_the_agents() -> None:
    async with running(settings=Settings(keys=keymap("tmux"))) as d:
        await d.press("ctrl+backslash", "ctrl+b", "ctrl+b", "f12", "f12")
        await d.until(lambda: len(d.typed) == 3)
        assert d.typed == ["ctrl+backslash", "ctrl+b", "ctrl+b"]
        await d.press("ctrl+b", "d")
        await d.until(lambda: not d.app.is_running)


async def test_the_next_and_the_previous_task() -> None:
    async with running() as d:
        await d.lead("tab")
        after = d.app.focused_task
        assert after != "t-1"
        await d.lead("shift+tab")
        assert d.app.focused_task == "t-1"
