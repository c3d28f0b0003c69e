"""What counts as a change, and what a budget of changes refuses."""

from __future__ import annotations

import pytest

from supervisor.grants.budget import announced_changes, sent_changes
from supervisor.model import Effect, Verb

READ = Effect(Verb.READ, "/work/a")
WRITE = Effect(Verb.WRITE, "/work/a")


@pytest.mark.parametrize(
    ("effects", "changes"),
    [
        ((READ, Effect(Verb.RUN, "ls"), Effect(Verb.HTTP, "h", {"method": "POST"})), 0),
        ((WRITE, READ, Effect(Verb.DELETE, "/work/b")), 2),
        ((Effect(Verb.PUSH, "origin main"), Effect(Verb.INSTALL, "npm")), 2),
        ((Effect(Verb.SQL, "", {"statement": "select"}),), 0),
        ((Effect(Verb.SQL, "", {"statement": "delete"}), Effect(Verb.SQL, "")), 2),
        ((Effect(Verb.OPERATE, "github", {"degree": "read"}),), 0),
        ((Effect(Verb.OPERATE, "github", {"degree": "post"}), Effect(Verb.OPERATE, "aws")), 2),
    ],
)
def test_an_announced_call_counts_what_it_changes(
    effects: tuple[Effect, ...], changes: int
) -> None:
    assert announced_changes(effects) == changes


@pytest.mark.parametrize(
    ("method", "path", "changes"),
    [
        ("GET", "/a", 0),
        ("HEAD", "/a", 0),
        ("POST", "/ana/repo.git/git-upload-pack", 0),
        ("POST", "/ana/repo.git/git-receive-pack", 1),
        ("DELETE", "/a", 1),
        ("MKCOL", "/a", 1),
    ],
)
def test_a_request_counts_when_it_does_not_only_read(method: str, path: str, changes: int) -> None:
    assert sent_changes(Effect(Verb.HTTP, "h", {"method": method, "path": path})) == changes


def test_opening_a_connection_is_no_change() -> None:
    assert sent_changes(Effect(Verb.CONNECT, "h:22")) == 0
