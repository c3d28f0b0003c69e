"""What must stay as it is, and what stands where nothing is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.errors import LaunchFailed
from supervisor.process.guards import Guards, Place, Placeholder, guards
from supervisor.process.placeholders import Placeholders


def found(workspace: Path, *, strict: bool = False, cwd: str = "") -> Guards:
    place = Place(str(workspace), cwd or str(workspace), "/nowhere")
    return guards(place, strict=strict)


def below(workspace: Path, paths: tuple[str, ...]) -> set[str]:
    return {path.removeprefix(f"{workspace}/") for path in paths}


def test_settings_of_agents_are_guarded_also_when_missing(tmp_path: Path) -> None:
    for strict in (False, True):
        result = found(tmp_path, strict=strict)
        assert below(tmp_path, result.paths) >= {".claude", ".codex", ".cursor", ".mcp.json"}
        assert Placeholder(str(tmp_path / ".claude")) in result.missing


def test_editors_and_ci_by_mode(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".envrc").write_text("")
    standard, strict = found(tmp_path), found(tmp_path, strict=True)
    assert below(tmp_path, standard.paths) >= {".vscode", ".envrc"}
    assert not below(tmp_path, standard.paths) & {".idea", ".git", ".github/workflows"}
    assert below(tmp_path, strict.paths) >= {".vscode", ".idea", ".git", ".github/workflows"}
    # The way to a missing one is made before it.
    made = [each.path for each in strict.missing]
    assert made.index(str(tmp_path / ".github")) < made.index(str(tmp_path / ".github/workflows"))


def test_the_directory_it_starts_in_is_guarded_as_the_workspace_is(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    result = found(tmp_path, cwd=str(tmp_path / "sub"))
    assert below(tmp_path, result.paths) >= {".claude", "sub/.claude", "sub/.mcp.json"}


def test_what_starts_by_itself_where_a_part_of_the_home_can_be_written(tmp_path: Path) -> None:
    config, workspace = tmp_path / ".config", tmp_path / "dotfiles"
    config.mkdir()
    workspace.mkdir()
    (workspace / ".bashrc").write_text("")
    place = Place(str(workspace), str(workspace), str(tmp_path), [str(config)])
    result = guards(place, strict=False)
    assert {f"{config}/fish", f"{config}/autostart", f"{workspace}/.bashrc"} <= set(result.paths)
    assert not any(path.startswith(f"{tmp_path}/.local") for path in result.paths)


def test_a_link_is_followed_and_named_as_one_that_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / ".claude").symlink_to("agents")
    result = found(tmp_path)
    assert str(tmp_path / "agents") in result.paths
    assert str(tmp_path / ".claude") not in result.paths
    assert result.loose == (f"{tmp_path}/.claude is a link and can be replaced",)


def test_another_name_of_a_guarded_file_is_told(tmp_path: Path) -> None:
    (tmp_path / ".envrc").write_text("")
    os.link(tmp_path / ".envrc", tmp_path / "notes")
    told = f"{tmp_path}/.envrc has another name too, and can be changed by it"
    assert found(tmp_path).loose == (told,)


def test_a_link_that_leads_out_needs_no_guard_where_it_leads(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    workspace = tmp_path / "work"
    workspace.mkdir()
    (workspace / ".claude").symlink_to(outside)
    result = found(workspace)
    assert str(outside) not in result.paths
    assert result.loose == (f"{workspace}/.claude is a link and can be replaced",)


def test_missing_settings_of_the_agent_stay_missing_and_say_nothing(tmp_path: Path) -> None:
    state = tmp_path / "home/.claude"
    state.mkdir(parents=True)
    settings = [str(state / name) for name in ("settings.json", "CLAUDE.md", "hooks")]
    place = Place(str(tmp_path / "w"), str(tmp_path / "w"), "/nowhere", [str(state)], settings)
    result = guards(place, strict=False)
    assert set(settings) <= set(result.paths)
    assert [each for each in result.missing if each.path.startswith(str(state))] == [
        Placeholder(settings[0], "{}\n"), Placeholder(settings[1], ""), Placeholder(settings[2]),
    ]  # fmt: skip


def test_a_folder_of_the_agent_in_its_settings_is_made(tmp_path: Path) -> None:
    folder = str(tmp_path / ".claude/worktrees")
    place = Place(str(tmp_path), str(tmp_path), "/nowhere", folders=[folder])
    made = [each.path for each in guards(place, strict=False).missing]
    assert made.index(str(tmp_path / ".claude")) < made.index(folder)


# ── Placeholders ────────────────────────────────────────────────────────────────────────────


def plan(*missing: Placeholder) -> Callable[[], Guards]:
    return lambda: Guards(tuple(each.path for each in missing), missing, (), ())


def test_a_placeholder_goes_with_the_last_task_that_needs_it(tmp_path: Path) -> None:
    place = Placeholder(str(tmp_path / "w"))
    placeholders = Placeholders(tmp_path / "books")
    placeholders.hold("t-1", plan(place))
    placeholders.hold("t-2", plan(place))
    placeholders.release("t-1")
    assert (tmp_path / "w").is_dir()
    placeholders.release("t-2")
    assert not (tmp_path / "w").exists()


def test_what_somebody_has_filled_meanwhile_stays(tmp_path: Path) -> None:
    placeholders = Placeholders(tmp_path / "books")
    wanted = (Placeholder(str(tmp_path / "d")), Placeholder(str(tmp_path / "f"), ""))
    placeholders.hold("t-1", plan(*wanted))
    (tmp_path / "d/mine").write_text("")
    (tmp_path / "f").write_text("mine")
    placeholders.release("t-1")
    assert (tmp_path / "d/mine").exists()
    assert (tmp_path / "f").read_text() == "mine"


def test_what_was_there_is_never_taken_away(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    placeholders = Placeholders(tmp_path / "books")
    placeholders.hold("t-1", lambda: Guards((str(tmp_path / "mine"),), (), (), ()))
    placeholders.release("t-1")
    assert (tmp_path / "mine").is_dir()


def test_a_later_supervisor_takes_away_what_a_crash_left(tmp_path: Path) -> None:
    kept, lost = Placeholder(str(tmp_path / "kept")), Placeholder(str(tmp_path / "lost/deep"))
    first = Placeholders(tmp_path / "books")
    first.hold("t-1", plan(kept))
    first.hold("t-2", plan(Placeholder(str(tmp_path / "lost")), lost))
    second = Placeholders(tmp_path / "books")
    second.adopt("t-1", [kept.path])
    second.sweep()
    assert (tmp_path / "kept").is_dir()
    assert not (tmp_path / "lost").exists()
    second.release("t-1")
    assert not (tmp_path / "kept").exists()


def test_nothing_is_left_of_the_books(tmp_path: Path) -> None:
    books = tmp_path / "books"
    first = Placeholders(books)
    for task in ("t-1", "t-2"):
        first.hold(
            task, plan(Placeholder(str(tmp_path / "shared")), Placeholder(f"{books}-{task}"))
        )
    first.release("t-1")
    assert not (tmp_path / "books-t-1").exists()
    (books / "t-3").write_text('{"half')
    later = Placeholders(books)
    later.adopt("t-2", [str(tmp_path / "shared")])
    later.sweep()
    assert (tmp_path / "shared").is_dir()
    assert not (tmp_path / "books-t-2").exists()
    later.release("t-2")
    assert not (tmp_path / "shared").exists()
    assert list(books.iterdir()) == []


def test_where_nobody_can_make_anything_there_is_nothing_to_guard(tmp_path: Path) -> None:
    placeholders = Placeholders(tmp_path / "books")
    result = placeholders.hold("t-1", plan(Placeholder("/proc/self/nothing")))
    assert result.paths == ()


def test_no_task_starts_where_a_guard_cannot_stand(tmp_path: Path) -> None:
    placeholders = Placeholders(tmp_path / "books")
    (tmp_path / "loop").symlink_to("loop")
    first, broken = Placeholder(str(tmp_path / "a")), Placeholder(str(tmp_path / "loop/x"))
    with pytest.raises(LaunchFailed, match=r"Cannot set the task up: .*loop/x"):
        placeholders.hold("t-1", plan(first, broken))
    assert not (tmp_path / "a").exists()
