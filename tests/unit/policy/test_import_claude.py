"""Claude Code's rules mean here what its documentation says."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.model import Effect, Verb
from tests.support.imported import HOME, Import, Imported
from tests.support.judging import shell_effects


def claude(take: Import, **lists: list[str]) -> Imported:
    return take("claude-code", {"permissions": lists}, "settings.json")


@pytest.mark.parametrize(
    ("rule", "command", "expected"),
    [
        ("Bash(git status)", "git status", "allow"),
        ("Bash(git status)", "git status -s", "none"),
        ("Bash(git diff:*)", "git diff", "allow"),
        ("Bash(git diff:*)", "git diff --stat", "allow"),
        ("Bash(git diff *)", "git diff", "allow"),
        ("Bash(git diff:*)", "git difftool", "none"),
        ("Bash(git diff*)", "git difftool", "allow"),
        ("Bash(git log *)", "git log --oneline -5", "allow"),
        ("Bash(git * main)", "git merge main", "allow"),
        ("Bash(git * main)", "git merge topic", "none"),
        ("Bash(git diff:*)", "git log", "none"),
        ("Bash(npm run test:*)", "npm run test", "allow"),
        ("Bash(npm run test:*)", "npm run tester", "none"),
    ],
)
def test_claude_allows_by_prefix_and_wildcard(
    take: Import, rule: str, command: str, expected: str
) -> None:
    assert claude(take, allow=[rule]).command(command) == expected


def test_claude_asks_deny_then_ask_then_allow(take: Import) -> None:
    rules = claude(
        take, allow=["Bash(git:*)", "Bash(git push:*)"], ask=["Bash(git push:*)"],
        deny=["Bash(git push --force:*)"],
    )  # fmt: skip
    assert rules.command("git status") == "allow"
    assert rules.command("git push origin topic") == "ask"
    assert rules.command("git push --force origin topic") == "deny"


@pytest.mark.parametrize("joint", ["&&", "||", ";", "|", "|&", "&", "\n"])
def test_claude_judges_every_part(take: Import, joint: str) -> None:
    rules = claude(take, allow=["Bash(git status:*)"], deny=["Bash(rm:*)"])
    assert rules.command(f"git status {joint} git status") == "allow"
    assert rules.command(f"git status {joint} git log") == "none"
    assert rules.command(f"git status {joint} rm -r x") == "deny"


@pytest.mark.parametrize("wrapper", ["timeout 5", "nice", "nohup", "stdbuf -oL", "env A=1"])
def test_claude_sees_through_wrappers(take: Import, wrapper: str) -> None:
    rules = claude(take, deny=["Bash(rm:*)"])
    assert rules.command(f"{wrapper} rm -r x") == "deny"


@pytest.mark.parametrize("spelling", ["'rm' -r x", "r\\m -r x", '"rm" "-r" x', "/bin/rm -r x"])
def test_no_quoting_evades_a_deny(take: Import, spelling: str) -> None:
    assert claude(take, deny=["Bash(rm:*)"]).command(spelling) == "deny"
    assert claude(take, deny=["Bash(rm -r:*)"]).command(spelling) == "deny"


@pytest.mark.parametrize(
    "rule", ["Bash", "Bash(*)", "Bash(python3:*)", "Bash(bash -c *)", "Bash(s*)"]
)
def test_nothing_that_allows_everything_is_carried_over(take: Import, rule: str) -> None:
    rules = claude(take, allow=[rule])
    assert rules.result.rules == 0
    assert rule in rules.notes
    assert not rules.result.lost
    assert claude(take, deny=[rule]).command("python3 a | bash -c b | sh c") == "deny"


def test_claude_files(take: Import) -> None:
    rules = claude(
        take,
        allow=["Read(~/notes/**)", "Edit(docs/*.md)"],
        deny=["Read(./.env)", "Edit(/config/**)", "Read(//etc/ssl/private)", "Read(*.pem)"],
    )
    assert rules.file(Verb.READ, f"{HOME}/notes/a/b.txt") == "allow"
    assert rules.file(Verb.READ, f"{HOME}/other.txt") == "none"
    assert rules.file(Verb.WRITE, "docs/a.md") == "allow"
    assert rules.file(Verb.WRITE, "docs/deep/a.md") == "none"
    assert rules.file(Verb.READ, ".env") == "deny"
    assert rules.file(Verb.READ, ".ENV") == "deny"
    assert rules.file(Verb.WRITE, "config/a/b.yml") == "deny"
    assert rules.file(Verb.READ, "/etc/ssl/private/key") == "deny"
    assert rules.file(Verb.READ, "deep/down/key.pem") == "deny"
    assert rules.file(Verb.READ, "src/main.py") == "none"


def test_claude_denied_files_are_denied_to_commands(take: Import) -> None:
    rules = claude(take, deny=["Read(.env)"])
    effects = shell_effects("cat .env", rules.workspace, HOME)
    assert rules.says(*(e for e in effects if e.verb is Verb.READ)) == "deny"


def test_claude_paths_of_a_project_begin_at_the_project(tmp_path: Path, take: Import) -> None:
    text = {"permissions": {"deny": ["Edit(/src/**)"]}}
    rules = take("claude-code", text, "ws/.claude/settings.json")
    assert rules.file(Verb.WRITE, "src/a.py") == "deny"
    assert rules.file(Verb.WRITE, "lib/src/a.py") == "none"


def test_claude_other_tools(take: Import) -> None:
    rules = claude(
        take,
        allow=["WebFetch(domain:example.com)", "mcp__github__get_issue"],
        ask=["mcp__github"],
        deny=["WebFetch(domain:*.evil.test)", "Agent(Explore)", "WebSearch"],
    )
    get = {"method": "GET", "path": "/"}
    assert rules.says(Effect(Verb.HTTP, "example.com", get)) == "allow"
    assert rules.says(Effect(Verb.HTTP, "example.com", get | {"method": "POST"})) == "none"
    assert rules.says(Effect(Verb.HTTP, "example.org", get)) == "none"
    assert rules.says(Effect(Verb.HTTP, "a.evil.test", get)) == "deny"
    issue = {"server": "github", "tool": "get_issue"}
    assert rules.says(Effect(Verb.MCP, "github.get_issue", issue)) == "ask"  # ask goes first
    assert rules.says(Effect(Verb.SPAWN, "Explore")) == "deny"
    assert rules.says(Effect(Verb.SPAWN, "Plan")) == "none"
    assert rules.says(Effect(Verb.OTHER, "WebSearch")) == "deny"


def test_claude_rules_over_several_commands_are_told(take: Import) -> None:
    rules = claude(take, deny=["Bash(cd * && rm *)"], allow=["Bash(npm test 2>&1)", "Bash(a | b)"])
    assert "several commands" in rules.result.lost[0]
    assert "Bash(a | b)" in rules.notes
    assert rules.command("npm test 2>&1") == "allow"


def test_claude_tells_what_is_lost(take: Import) -> None:
    settings = {"permissions": {"deny": ["Skill(x)"], "defaultMode": "acceptEdits"}, "hooks": {}}
    rules = take("claude-code", settings, "settings.json")
    assert "Skill(x)" in rules.result.lost[0]
    assert "defaultMode" in rules.notes
    assert "hooks" in rules.notes


def test_an_allowance_does_not_cover_what_cannot_be_read(take: Import) -> None:
    rules = claude(take, allow=["Bash(git diff:*)"])
    assert rules.command("git diff $(cat x)") == "none"
