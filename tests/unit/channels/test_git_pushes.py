"""What a push says on the wire, against real git: which refs, and whether by force."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import procfs
from supervisor.channels.git import ancestry
from supervisor.channels.git.ancestry import adds_to
from supervisor.channels.git.pushes import LOOK
from supervisor.channels.git.receive_pack import Command, Push, Unreadable, parse
from supervisor.channels.http.looks import look_at
from supervisor.channels.http.message import parse_request
from supervisor.channels.http.peek import Peeked
from supervisor.effects.remotes import place
from supervisor.model import Effect, Process, Verb
from tests.support.git_server import git

OLD, NEW = "1" * 40, "2" * 40
HEAD = parse_request(b"POST /ana/app.git/git-receive-pack HTTP/1.1\r\nHost: git.example\r\n\r\n")


def line(text: str) -> bytes:
    return b"%04x" % (len(text.encode()) + 4) + text.encode()


def said(data: bytes, *, complete: bool = False) -> tuple[bool, tuple[Effect, ...]]:
    told = LOOK.read(HEAD, "/ana/app.git/git-receive-pack", Peeked(data, complete))
    known = LOOK.known(told, "git.example", ())
    return bool(known.attributes.get("push")), known.further


def test_each_ref_of_a_push_is_read() -> None:
    data = (
        line(f"{OLD} {NEW} refs/heads/topic\0 report-status side-band-64k agent=git/2.39")
        + line(f"{'0' * 40} {NEW} refs/tags/v1\n")
        + line(f"{OLD} {'0' * 40} refs/heads/gone")
        + b"0000PACK"
    )
    assert parse(data) == Push(
        (
            Command("refs/heads/topic", OLD, NEW),
            Command("refs/tags/v1", None, NEW),
            Command("refs/heads/gone", OLD, None),
        )
    )


def test_words_for_the_server_are_read_too() -> None:
    data = line(f"{OLD} {NEW} refs/heads/x\0push-options") + b"0000" + line("ci.skip") + b"0000"
    assert parse(data).options == ("ci.skip",)
    _, effects = said(data)
    assert [effect.verb for effect in effects] == [Verb.PUSH, Verb.OPERATE]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"0000" + b"a secret of somebody's",
        b"0001",
        b"PACK",
        line(f"{OLD} {NEW} refs/heads/x"),
        line(f"{OLD} {NEW} heads/x") + b"0000",
        line(f"{OLD} {NEW} refs/heads/a b") + b"0000",
        line(f"{OLD} {'2' * 64} refs/heads/a") + b"0000",
        line("push-cert\0 report-status") + b"0000",
        b"00zz" + b"0000",
        line(f"{OLD} {NEW} refs/heads/x\0push-options") + b"0000" + b"zz",
    ],
)
def test_what_cannot_be_read_may_do_anything(data: bytes) -> None:
    _, (effect,) = said(data)
    told = effect.attributes
    strictest = ("force", "delete", "protected", "several", "foreign")
    assert all(told[flag] for flag in strictest)


def test_the_question_before_a_long_push_does_nothing() -> None:
    assert said(b"0000", complete=True) == (True, ())


@pytest.mark.parametrize(
    ("target", "service"),
    [
        ("/ana/app.git/info/refs?service=git-receive-pack", "git-receive-pack"),
        ("/ana/app.git/info/refs?service=git-upload-pack", "git-upload-pack"),
        ("/ana/app.git/info/refs?service=git-upload-pack&service=git-receive-pack", None),
        ("/ana/app.git/info/refs?service=other", None),
        ("/ana/app.git/info/refs", None),
        ("/repos/ana/app/git/refs?service=git-receive-pack", None),
    ],
)
def test_the_first_request_tells_which_service_it_is_for(target: str, service: str | None) -> None:
    head = parse_request(f"GET {target} HTTP/1.1\r\nHost: git.example\r\n\r\n".encode())
    look = look_at(target.partition("?")[0])
    assert look is not None
    assert look.read(head, target, Peeked()).attributes.get("service") == service


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_not(data: bytes) -> None:
    try:
        push = parse(data)
    except Unreadable:
        return
    assert all(command.ref.startswith("refs/") for command in push.commands)


class Repo:
    """A repository with a history to push: main ← topic, and a side that left main."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        self.commits = [self.commit(f"c{n}") for n in range(4)]
        git(folder, "checkout", "-q", "-b", "side", self.commits[1])
        self.side = self.commit("side")
        git(folder, "checkout", "-q", "main")

    def commit(self, message: str) -> str:
        git(self.folder, "commit", "-q", "--allow-empty", "-m", message)
        return git(self.folder, "rev-parse", "HEAD")

    @property
    def objects(self) -> str:
        return str(self.folder / ".git/objects")

    def adds(self, old: str, new: str) -> bool:
        return adds_to(self.objects, old, new)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def test_a_push_adds_when_the_old_commit_is_an_ancestor(repo: Repo) -> None:
    c = repo.commits
    assert repo.adds(c[0], c[3])
    assert repo.adds(c[2], c[3])
    assert not repo.adds(c[3], c[0])
    assert not repo.adds(c[3], repo.side)
    git(repo.folder, "merge", "-q", "--no-ff", "-m", "merge", "side")
    assert repo.adds(repo.side, git(repo.folder, "rev-parse", "HEAD"))
    git(repo.folder, "gc", "-q")
    assert repo.adds(c[0], c[3])
    assert not repo.adds(c[3], repo.side)


def test_commits_with_longer_names(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "--object-format=sha256")
    names = []
    for message in ("one", "two"):
        git(folder, "commit", "-q", "--allow-empty", "-m", message)
        names.append(git(folder, "rev-parse", "HEAD"))
    objects = str(folder / ".git/objects")
    assert len(names[0]) == 64
    assert adds_to(objects, *names)
    assert not adds_to(objects, *reversed(names))


def test_nothing_but_commits_proves_it(repo: Repo, tmp_path: Path) -> None:
    """Replaced, grafted, forged: what git would believe of the task's own repository."""
    c, folder = repo.commits, repo.folder
    assert git(folder, "merge-base", c[3], repo.side) == c[1]
    git(folder, "replace", "--graft", repo.side, c[3])
    assert git(folder, "merge-base", c[3], repo.side) == c[3]  # git itself is taken in
    assert not repo.adds(c[3], repo.side)
    git(folder, "replace", "-d", repo.side)
    (folder / ".git/info/grafts").write_text(f"{repo.side} {c[3]}\n")
    assert not repo.adds(c[3], repo.side)
    (folder / ".git/info/grafts").unlink()
    # An object that is not what its name says.
    other = git(folder, "commit-tree", "HEAD^{tree}", "-p", c[3], "-m", "x")
    objects = Path(repo.objects)
    forged = objects / repo.side[:2] / repo.side[2:]
    forged.unlink()
    (objects / other[:2] / other[2:]).rename(forged)
    assert f"parent {c[3]}" in git(folder, "cat-file", "-p", repo.side)
    assert not repo.adds(c[3], repo.side)


def test_what_the_repository_sets_up_does_not_run(repo: Repo, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for key in ("core.fsmonitor", "core.sshCommand", "uploadpack.packObjectsHook", "core.pager"):
        git(repo.folder, "config", key, f"touch {ran}")
    git(repo.folder, "config", "extensions.partialClone", "origin")
    git(repo.folder, "config", "remote.origin.promisor", "true")
    git(repo.folder, "config", "remote.origin.url", f"ext::sh -c 'touch {ran}'")
    git(repo.folder, "config", "protocol.ext.allow", "always")
    assert not repo.adds("9" * 40, repo.commits[3])
    assert not repo.adds(repo.commits[0], "9" * 40)
    assert repo.adds(repo.commits[0], repo.commits[3])
    assert not ran.exists()


def test_what_holds_us_up_is_force(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ancestry, "_SECONDS", 0.3)
    name = repo.commits[2]
    found = Path(repo.objects, name[:2], name[2:])
    found.unlink()
    os.mkfifo(found)
    assert not repo.adds(repo.commits[0], repo.commits[3])


def test_no_repository_is_force(tmp_path: Path) -> None:
    assert not adds_to(str(tmp_path / "none"), OLD, NEW)


@pytest.fixture
def sender(repo: Repo) -> Iterator[Process]:
    """A process that works in the repository."""
    running = subprocess.Popen(["sleep", "60"], cwd=repo.folder)
    found = procfs.stat(running.pid)
    assert found is not None
    yield found.process
    running.kill()
    running.wait()


def test_a_push_is_told_by_the_repository_it_comes_from(repo: Repo, sender: Process) -> None:
    git(repo.folder, "remote", "add", "origin", "git@git.example:ana/app.git")
    old, new = repo.commits[1], repo.commits[3]

    def effect(old: str, new: str, ref: str, host: str = "git.example") -> Effect:
        data = line(f"{old} {new} {ref}\0") + b"0000"
        told = LOOK.read(HEAD, "/ana/app.git/git-receive-pack", Peeked(data, False))
        (effect,) = LOOK.known(told, host, [sender]).further
        return effect

    plain = effect(old, new, "refs/heads/topic")
    assert plain.label == "push https://git.example/ana/app.git topic"
    flags = ("force", "delete", "protected", "several", "foreign")
    assert not any(plain.attributes[flag] for flag in flags)
    assert effect(repo.commits[3], repo.side, "refs/heads/topic").attributes["force"]
    assert effect(old, new, "refs/tags/v1").attributes["force"]
    assert effect(old, "0" * 40, "refs/heads/topic").attributes["delete"]
    assert effect(old, new, "refs/heads/main").attributes["protected"]
    assert effect(old, new, "refs/heads/topic", "evil.example").attributes["foreign"]


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("git@github.com:O/R.git", "github.com/O/R"),
        ("https://x:y@GitHub.com/O/R/", "github.com/O/R"),
        ("ssh://git@github.com:22/O/R.git", "github.com/O/R"),
        ("https://localhost:8443/a/b.git", "localhost:8443/a/b"),
        ("https://github.com:443/O/R", "github.com/O/R"),
        ("origin", ""),
        ("../here", ""),
        ("", ""),
    ],
)
def test_an_address_leads_to_one_place_however_it_is_written(address: str, where: str) -> None:
    assert place(address) == where
