"""The plan of what a task sees, as arguments of bubblewrap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import LaunchFailed
from supervisor.ports import Containment, Mount, SpawnRequest
from supervisor.process.bubblewrap import bwrap_argv, bwrap_options

HOME = "/home/ana"


def request(workspace: str, cwd: str = "", **plan: tuple[object, ...]) -> SpawnRequest:
    fields: dict[str, object] = {
        "task": "t-1",
        "argv": ("/usr/bin/agent", "--flag"),
        "env": {"PATH": "/usr/bin", "API_KEY": "surrogate-value"},
        "cwd": cwd or workspace,
        "containment": Containment("standard", workspace, **plan),  # type: ignore[arg-type]
        "task_dir": "/run/user/1000/taskpass/tasks/t-1",
        "tier": "A",
        "bwrap": "/usr/bin/bwrap",
        "listeners": ("proxy",),
        "ports": (3128,),
        "pty": False,
    }
    return SpawnRequest(**fields)  # type: ignore[arg-type]


def mounts(options: list[str]) -> Iterator[tuple[str, str]]:
    """(option, destination), in order."""
    three = ("--bind", "--bind-try", "--ro-bind", "--ro-bind-try")
    for at, option in enumerate(options):
        if option in three:
            yield option, options[at + 2]
        elif option == "--tmpfs":
            yield option, options[at + 1]


def test_environment_is_in_the_options_and_not_on_the_command_line() -> None:
    asked = request("/srv/project")
    options = bwrap_options(asked, HOME)
    at = options.index("API_KEY")
    assert options[at - 1 : at + 2] == ["--setenv", "API_KEY", "surrogate-value"]
    assert options.index("--clearenv") < at
    assert not any("surrogate-value" in word for word in bwrap_argv(asked))
    assert bwrap_argv(asked)[-2:] == ["/usr/bin/agent", "--flag"]


def test_home_is_empty_before_anything_is_put_into_it() -> None:
    asked = request(f"{HOME}/project", mounts=(Mount(f"{HOME}/.claude", writable=True),))
    order = list(mounts(bwrap_options(asked, HOME)))
    assert order[0] == ("--bind", "/")  # the skeleton, which has an empty home
    assert order.index(("--bind-try", f"{HOME}/.claude")) > 0
    assert order.index(("--bind", f"{HOME}/project")) > 0
    assert not {path for _, path in order} & {HOME, "/home"}  # nothing brings the real one in


@given(
    st.lists(
        st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(
            lambda p: "/data/" + "/".join(p)
        ),
        max_size=8,
    )
)
def test_no_mount_covers_a_deeper_one(paths: list[str]) -> None:
    asked = request("/data/a/b", mounts=tuple(Mount(path) for path in paths))
    order = [path for _, path in mounts(bwrap_options(asked, HOME)) if path.startswith("/data/")]
    assert len(order) == len(set(order))
    for later_at, later in enumerate(order):
        assert not any(earlier.startswith(later + "/") for earlier in order[:later_at])


def test_task_directory_is_read_only_and_workspace_writable() -> None:
    asked = request("/srv/project")
    found = dict((path, option) for option, path in mounts(bwrap_options(asked, HOME)))
    assert found["/srv/project"] == "--bind"
    assert found[asked.task_dir] == "--ro-bind"


def test_what_lies_among_the_systems_programs_is_not_mounted_once_more() -> None:
    asked = request("/usr/src/app", mounts=(Mount("/usr/bin"), Mount("/usr/src/app/lib")))
    found = dict((path, option) for option, path in mounts(bwrap_options(asked, HOME)))
    assert "/usr/bin" not in found
    assert found["/usr/src/app/lib"] == "--ro-bind-try"  # in a workspace that is writable


@pytest.mark.parametrize("workspace", [HOME, "/home", "/"])
def test_home_as_workspace_is_refused(workspace: str) -> None:
    with pytest.raises(LaunchFailed, match="holds your home directory"):
        bwrap_options(request(workspace), HOME)


def test_workspace_inside_a_hidden_path_is_refused() -> None:
    hidden = f"{HOME}/.local/state/taskpass"
    with pytest.raises(LaunchFailed, match="kept from every task"):
        bwrap_options(request(f"{hidden}/x", absent=(hidden,)), HOME)


def test_cwd_outside_the_workspace_is_refused() -> None:
    with pytest.raises(LaunchFailed, match="not inside the workspace"):
        bwrap_options(request("/srv/project", cwd="/srv/project-2"), HOME)


def test_what_must_be_absent_is_empty_wherever_a_mount_would_show_it(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "key").write_text("SECRET=1")
    absent = (str(tmp_path / "state"), str(tmp_path / "key"), "/not/in/any/mount")
    options = bwrap_options(request(str(tmp_path), absent=absent), HOME)
    pairs = list(pairwise(options))
    assert ("--tmpfs", absent[0]) in pairs
    assert ("/dev/null", absent[1]) in pairs
    assert absent[2] not in options
    assert options.index("--bind") < options.index(absent[0])


def test_masked_paths_show_a_notice_instead_of_their_content(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".env").write_text("SECRET=1")
    asked = request(str(tmp_path), masked=(str(tmp_path / ".aws"), str(tmp_path / ".env")))
    pairs = list(pairwise(bwrap_options(asked, HOME)))
    assert (f"{asked.task_dir}/kept", str(tmp_path / ".aws")) in pairs
    assert (f"{asked.task_dir}/kept/README", str(tmp_path / ".env")) in pairs


def test_the_way_to_what_is_guarded_cannot_be_moved() -> None:
    guarded = ("/w/.git/hooks", "/w/.git/modules/a/hooks", "/w/.mcp.json")
    order = list(mounts(bwrap_options(request("/w", guarded=guarded), HOME)))
    ours = [(option, path) for option, path in order if path.startswith("/w/")]
    assert ours == [
        ("--bind", "/w/.git"),
        ("--ro-bind", "/w/.mcp.json"),
        ("--ro-bind", "/w/.git/hooks"),
        ("--bind", "/w/.git/modules"),
        ("--bind", "/w/.git/modules/a"),
        ("--ro-bind", "/w/.git/modules/a/hooks"),
    ]


def test_shadow_and_host_keys_are_not_among_the_mounts() -> None:
    shown = {path for _, path in mounts(bwrap_options(request("/srv/project"), HOME))}
    assert "/etc" not in shown
    assert not {path for path in shown if "shadow" in path or path.startswith("/etc/ssh")}
