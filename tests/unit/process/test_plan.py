"""The plan of one task: what its profile, the person, the project and the mode make of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor.errors import LaunchFailed
from supervisor.ports import Containment, Mount
from supervisor.process.containment import anchors, digest
from supervisor.process.placeholders import Placeholders
from supervisor.process.plan import Plan, Wanted, Wishes, make_plan


class Person:
    """Somebody with a home, a project in it, and an agent."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = base / "home"
        self.project = self.home / "project"
        self.project.mkdir(parents=True)
        self.state = self.home / ".local/state/taskpass"
        self.state.mkdir(parents=True)

    def plan(
        self, mode: str = "standard", environ: Mapping[str, str] | None = None, **wishes: Any
    ) -> Plan:
        return self.wanted(mode, (), environ or {}, **wishes)

    def wanted(
        self, mode: str, mounts: tuple[Mount, ...], environ: Mapping[str, str], **wishes: Any
    ) -> Plan:
        wanted = Wanted(
            task="t-1", mode=mode, workspace=str(self.project), cwd=str(self.project),
            home=str(self.home), mounts=mounts, absent=(str(self.state),),
            wishes=Wishes(**wishes), environ=environ,
        )  # fmt: skip
        return make_plan(wanted, Placeholders(self.base / "placeholders"))

    def put(self, *paths: str) -> None:
        for path in paths:
            file = self.home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("secret")


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(tmp_path)


def test_nothing_of_the_home_but_what_the_profile_names(person: Person) -> None:
    person.put(".ssh/id_rsa", ".agent/state", "notes")
    mount = Mount(f"{person.home}/.agent", writable=True)
    plan = person.wanted("standard", (mount,), {})
    assert plan.containment.mounts == (mount,)
    assert plan.containment.writable == (str(person.project), mount.path)
    assert plan.containment.absent == (str(person.state),)


def test_secrets_are_masked_wherever_something_visible_holds_them(person: Person) -> None:
    person.put("project/.env", ".config/gh/hosts.yml", ".config/tool/settings")
    plan = person.plan(show=("~/.config",)).containment
    assert set(plan.masked) == {f"{person.project}/.env", f"{person.home}/.config/gh"}
    assert Mount(f"{person.home}/.config") in plan.mounts


def test_what_is_shown_by_name_is_not_masked(person: Person) -> None:
    person.put("project/.env", "project/.env.local", ".config/gh/hosts.yml")
    plan = person.plan(show=(".env*", "~/.config/gh"))
    assert plan.containment.masked == ()
    assert plan.containment.mounts == (Mount(f"{person.home}/.config/gh"),)
    assert f"{person.project}/.env" in plan.let_read


def test_to_be_denied_wins_over_all_that_lets_in(person: Person) -> None:
    person.put("project/secrets/a", "project/keep/one.key", "notes/diary", "notes/list")
    plan = person.plan(
        show=("~/notes", "secrets"),
        show_now=(f"{person.project}/secrets",),
        deny_read=("secrets/**", "**/*.key", "~/notes/diary"),
    ).containment
    assert set(plan.masked) == {
        f"{person.project}/secrets", f"{person.project}/keep/one.key", f"{person.home}/notes/diary",
    }  # fmt: skip


def test_strict_lets_in_only_what_the_command_line_names(person: Person) -> None:
    person.put("cache/x", "notes/x", ".agent/x")
    environ = {"DISPLAY": ":1", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/1/bus"}
    wishes: dict[str, Any] = {
        "show": ("~/notes",),
        "write": ("~/cache",),
        "x11": True,
        "dbus": True,
    }
    standard = person.plan("standard", environ, **wishes).containment
    assert {mount.path for mount in standard.mounts} == {
        f"{person.home}/notes",
        f"{person.home}/cache",
    }
    assert len(standard.sockets) == 2
    strict = person.plan("strict", environ, **wishes, show_now=(f"{person.home}/.agent",))
    assert strict.containment.mounts == (Mount(f"{person.home}/.agent"),)
    assert strict.containment.sockets == ()


def test_sockets_of_the_session_come_one_by_one_with_their_variables(person: Person) -> None:
    environ = {
        "DISPLAY": ":3.0", "XAUTHORITY": f"{person.home}/.Xauthority",
        "WAYLAND_DISPLAY": "wayland-1", "XDG_RUNTIME_DIR": "/run/user/7",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/user/7/bus,guid=1",
        "SSH_AUTH_SOCK": "/run/user/7/ssh",
    }  # fmt: skip
    assert person.plan(environ=environ).containment.sockets == ()
    x11 = person.plan(environ=environ, x11=True)
    assert x11.containment.sockets == ("/tmp/.X11-unix/X3",)
    assert set(x11.environ) == {"DISPLAY", "XAUTHORITY"}
    wayland = person.plan(environ=environ, wayland=True)
    assert wayland.containment.sockets == ("/run/user/7/wayland-1",)
    dbus = person.plan(environ=environ, dbus=True)
    assert dbus.containment.sockets == ("/run/user/7/bus",)
    assert "/run/user/7/ssh" in dbus.containment.absent


@pytest.mark.parametrize("address", ["tcp:host=1.2.3.4", "unix:abstract=/tmp/x", ""])
def test_a_bus_that_is_no_path_is_not_let_in(person: Person, address: str) -> None:
    plan = person.plan(environ={"DBUS_SESSION_BUS_ADDRESS": address}, dbus=True)
    assert (plan.containment.sockets, plan.environ) == ((), {})


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"write": ("~",)}, "your whole home"),
        ({"show_now": ("/",)}, "your whole home"),
        ({"show": ("~/.local/state",)}, "kept from every task"),
        ({"write": ("~/.local/state/taskpass/x",)}, "kept from every task"),
        ({"show_now": ("/no/such/place",)}, "does not exist"),
        ({"deny_read": ("~/pro*",)}, "is to be kept from tasks"),
    ],
)
def test_what_cannot_be_is_refused(person: Person, wishes: dict[str, Any], says: str) -> None:
    person.put(".local/state/taskpass/x")
    with pytest.raises(LaunchFailed, match=says):
        person.plan(**wishes)


def test_what_is_let_be_written_is_not_guarded(person: Person) -> None:
    person.put("project/.claude/settings.json")
    assert f"{person.project}/.claude" in person.plan().containment.guarded
    plan = person.plan(write_now=(f"{person.project}/.claude",))
    assert f"{person.project}/.claude" not in plan.containment.guarded
    assert plan.let_write == (f"{person.project}/.claude",)


def test_strict_starts_nothing_where_a_guard_is_a_link(person: Person) -> None:
    person.put("project/agents/settings.json")
    (person.project / ".claude").symlink_to("agents")
    plan = person.plan()
    assert f"{person.project}/agents" in plan.containment.guarded
    assert plan.notes == (f"{person.project}/.claude is a link and can be replaced",)
    with pytest.raises(LaunchFailed, match="is a link"):
        person.plan("strict")


def test_too_many_secrets_are_too_many_mounts(person: Person) -> None:
    person.put(*(f"project/{number}/.env" for number in range(300)))
    with pytest.raises(LaunchFailed, match="more than 200"):
        person.plan()


def test_the_digest_is_the_plan_wherever_the_task_has_its_directory() -> None:
    def of(task_dir: str, **more: Any) -> str:
        mounts = (Mount(f"{task_dir}/home", writable=True),)
        return digest(Containment("standard", "/w", mounts, **more), task_dir)

    assert of("/run/t-1") == of("/run/t-2")
    assert of("/run/t-1") != of("/run/t-1", masked=("/w/.env",))
    assert of("/run/t-1") != of("/run/t-1", guarded=("/w/.env",))


def test_anchors_are_the_way_from_the_nearest_writable_place() -> None:
    plan = Containment("standard", "/w", (Mount("/w/a/b", writable=True), Mount("/h/x")))
    assert anchors(plan, "/w/a/b/c/d/hooks", "/w") == ["/w/a/b/c", "/w/a/b/c/d"]
    assert anchors(plan, "/w/z/hooks", "/w") == ["/w/z"]
    assert anchors(plan, "/h/x/y/hooks", "/w") == []


def test_where_a_task_starts_is_held_in_its_place_in_strict_only() -> None:
    standard, strict = Containment("standard", "/w"), Containment("strict", "/w")
    assert anchors(standard, "/w/a/b/.github/workflows", "/w/a/b") == ["/w/a/b/.github"]
    assert anchors(strict, "/w/a/b/.claude", "/w/a/b") == ["/w/a", "/w/a/b"]
