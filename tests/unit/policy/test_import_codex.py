"""Codex' rules mean here what its documentation says."""

from __future__ import annotations

import pytest

from supervisor.errors import PolicyError
from supervisor.model import Effect, Verb
from tests.support.imported import Import

CODEX = """
# a comment
prefix_rule(
    pattern = ["git", ["status", "log"]],
    match = ["git status -s", ["git", "log"]],
    not_match = ["git push"],
)
prefix_rule(pattern = ["git", "push"], decision = "prompt", justification = "Look first.")
prefix_rule(pattern = ["git", "push", "--force"], decision = "forbidden")
prefix_rule(pattern = ["git"])
"""


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("git status", "allow"),
        ("git log -3", "allow"),
        ("git push origin topic", "ask"),
        ("git push --force", "deny"),
        ("git push --forced", "ask"),
        ("git status && git push", "ask"),
        ("ls", "none"),
        ("bash -lc 'git push --force'", "deny"),
    ],
)
def test_codex_takes_the_strictest_prefix(take: Import, command: str, expected: str) -> None:
    assert take("codex", CODEX).command(command) == expected


def test_codex_words_and_examples_come_along(take: Import) -> None:
    text = take("codex", CODEX).result.text
    assert "Look first." in text
    assert '@match("git status -s")' in text
    assert '@not_match("git push")' in text


def test_codex_paths_and_hosts(take: Import) -> None:
    rules = take(
        "codex",
        '''
"""Rules of this machine."""
prefix_rule(pattern = ["git", "status"])
host_executable(name = "git", paths = ["/usr/bin/git"])
network_rule(host = "API.example.com", protocol = "https", decision = "allow")
network_rule(host = "evil.test", protocol = "https", decision = "deny")
''',
    )
    assert rules.command("git status") == "allow"
    assert rules.command("/usr/bin/git status") == "allow"
    assert rules.command("/usr/local/bin/git status") == "none"
    get = {"method": "GET", "path": "/"}
    assert rules.says(Effect(Verb.HTTP, "api.example.com", get)) == "allow"
    assert rules.says(Effect(Verb.HTTP, "evil.test", get)) == "deny"
    assert rules.says(Effect(Verb.HTTP, "other.test", get)) == "none"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('prefix_rule(pattern=["ls"], match=["git x"])', r"rules:1.*match fails"),
        ('\nprefix_rule(pattern=["ls"], not_match=["ls -l"])', r"rules:2.*not_match fails"),
        ('prefix_rule(pattern=["ls"], decision="maybe")', "maybe"),
        ("prefix_rule(pattern=[])", "pattern"),
        ("prefix_rule(pattern=[1])", "pattern"),
        ('prefix_rule(pattern=["a"], x=1)', "no x"),
        ('prefix_rule(pattern=f("a"))', "no literal"),
        ('deny_rule(pattern=["a"])', "no deny_rule"),
        ("x = 1", "only prefix_rule"),
        ('network_rule(host="h", decision="forbidden")', "network_rule"),
        ("prefix_rule(", r"rules:1:\d+"),
        ("import os", "only prefix_rule"),
    ],
)
def test_codex_refuses_what_it_does_not_understand(take: Import, text: str, says: str) -> None:
    with pytest.raises(PolicyError, match=says):
        take("codex", text)
