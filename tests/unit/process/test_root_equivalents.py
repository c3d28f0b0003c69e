"""Ways out that are as good as root: each is found by what makes it one."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from supervisor.model import Tier
from supervisor.process import root_equivalents
from supervisor.process.root_equivalents import Account, Hole, Sign, candidates, found, reachable

ANA = 4242  # an account that this machine does not have


@pytest.fixture
def listening() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def listen(stack: ExitStack, path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    server = stack.enter_context(socket.socket(socket.AF_UNIX))
    server.bind(str(path))
    server.listen(4)
    return str(path)


def ana(tmp_path: Path, *groups: str, **environ: str) -> Account:
    (tmp_path / "home").mkdir(exist_ok=True)
    return Account(ANA, "ana", str(tmp_path / "home"), frozenset(groups), environ)


def names(holes: tuple[Hole, ...], below: Path) -> dict[str, str]:
    """Ways by name, of those whose path is below a directory of the test."""
    return {hole.way.name: hole.path for hole in holes if hole.path.startswith(str(below))}


def test_sockets_of_engines_buses_displays_agents_and_terminals(
    tmp_path: Path, listening: ExitStack
) -> None:
    run = tmp_path / "run"
    placed = {
        "own container engine": run / "podman/podman.sock",
        "systemd user manager": run / "systemd/private",
        "session bus": run / "bus",
        "display": run / "wayland-0",
        "editor": run / "nvim.77.0",
        "terminal multiplexer": tmp_path / f"tmux/tmux-{ANA}/default",
        "docker socket": tmp_path / "elsewhere.sock",
        "key agent": tmp_path / "home/.ssh/agent/s.1",
    }
    account = ana(
        tmp_path,
        XDG_RUNTIME_DIR=str(run),
        TMUX_TMPDIR=str(tmp_path / "tmux"),
        DOCKER_HOST=f"unix://{placed['docker socket']}",
    )
    assert names(found(account), tmp_path) == {}
    expected = {name: listen(listening, path) for name, path in placed.items()}
    assert names(found(account), tmp_path) == expected


def test_each_tells_what_it_gives_away_and_what_closes_it(
    tmp_path: Path, listening: ExitStack
) -> None:
    account = ana(tmp_path, SSH_AUTH_SOCK=listen(listening, tmp_path / "agent"))
    (hole,) = (hole for hole in found(account) if hole.path == str(tmp_path / "agent"))
    assert hole.label == f"key agent ({tmp_path}/agent)"
    assert "signs with your SSH" in hole.way.why
    assert "ssh-add -c" in hole.way.remedy


def test_socket_that_nobody_serves_any_more_is_none(tmp_path: Path) -> None:
    with ExitStack() as stack:
        left = listen(stack, tmp_path / "agent")
    assert os.path.exists(left)
    assert names(found(ana(tmp_path, SSH_AUTH_SOCK=left)), tmp_path) == {}


def test_a_link_and_its_target_are_one(tmp_path: Path, listening: ExitStack) -> None:
    real = listen(listening, tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    account = ana(
        tmp_path, SSH_AUTH_SOCK=str(tmp_path / "link"), XDG_RUNTIME_DIR=str(tmp_path / "run")
    )
    (tmp_path / "run").mkdir()
    (tmp_path / "run/ssh-agent.socket").symlink_to(real)
    assert [h.path for h in found(account) if h.path.startswith(str(tmp_path))] == [real]


def test_names_with_wildcards_are_taken_as_they_are(tmp_path: Path, listening: ExitStack) -> None:
    other = listen(listening, tmp_path / "agent1")
    listen(listening, tmp_path / "agent[1]")
    account = ana(tmp_path, SSH_AUTH_SOCK=str(tmp_path / "agent[1]"))
    assert other not in [hole.path for hole in found(account)]
    assert str(tmp_path / "agent[1]") in [hole.path for hole in found(account)]


@pytest.mark.parametrize(("group", "is_one"), [("sudo", True), ("wheel", True), ("users", False)])
def test_group_that_sudo_serves(
    tmp_path: Path, group: str, is_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = tmp_path / "sudo"
    monkeypatch.setattr(root_equivalents, "_SUDO_PROGRAMS", (str(installed),))
    assert "sudo" not in [hole.label for hole in found(ana(tmp_path, group))], "not installed"
    installed.touch()
    assert ("sudo" in [hole.label for hole in found(ana(tmp_path, group))]) is is_one


def test_root_is_a_way_out_by_itself(tmp_path: Path) -> None:
    root = Account(0, "root", str(tmp_path), frozenset({"sudo"}), {})
    labels = [hole.label for hole in found(root)]
    assert "root account" in labels
    assert "sudo" not in labels


@pytest.mark.parametrize(
    ("allow", "deny", "served"),
    [(None, None, True), ("ana\n", None, True), ("bo\n", None, False), (None, "ana\n", False),
     (None, "bo\n", True), ("ana\n", "ana\n", True)],
)  # fmt: skip
def test_cron_by_its_two_lists(
    tmp_path: Path, allow: str | None, deny: str | None, served: bool
) -> None:
    for name, text in (("allow", allow), ("deny", deny)):
        if text is not None:
            (tmp_path / name).write_text(text)
    may = root_equivalents.may(
        "ana", str(tmp_path / "allow"), str(tmp_path / "deny"), without_lists=True
    )
    assert may is served


def test_contained_only_what_is_shown_is_reachable() -> None:
    way = next(candidates(Account(ANA, "ana", "/home/ana", frozenset(), {}))).way
    inside, outside, itself = Hole(way, "/work/run/docker.sock"), Hole(way, "/run/d"), Hole(way)
    every = (inside, outside, itself)
    assert reachable(every, Tier.UNCONTAINED, ()) == every
    for tier in (Tier.A, Tier.B):
        assert reachable(every, tier, ("/work", "/opt/agent")) == (inside,)
        assert reachable(every, tier, ("/wor",)) == ()


def test_devices_are_judged_by_what_may_be_done_to_them(tmp_path: Path) -> None:
    signs = {c.pattern: c.sign for c in candidates(ana(tmp_path))}
    assert signs["/dev/uinput"] is Sign.WRITABLE
    assert signs["/dev/sd?"] is Sign.READABLE
