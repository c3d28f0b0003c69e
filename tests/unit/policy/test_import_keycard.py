"""Keycard's rules mean here what its documentation says."""

from __future__ import annotations

import pytest

from supervisor.errors import PolicyError
from supervisor.model import Effect, Verb
from tests.support.imported import Import, Imported

KEYCARD = """
@description("Reading is fine")
permit (principal, action == Action::"Agent::ToolUse", resource == Tool::"read");

permit (principal == User::"ana@example.com", action == Action::"Agent::ToolUse",
        resource == Tool::"bash")
when { context.command like "git *" };

@description("Look at what leaves") @itl("prompt")
permit (principal, action == Action::"Agent::ToolUse", resource == Tool::"bash")
when { context has command && context.command like "git push*" };

@description("Never by force")
forbid (principal, action == Action::"Agent::ToolUse", resource == Tool::"bash")
when { context.command like "*--force*" };

@itl("prompt")
permit (principal, action == Action::"Agent::ToolUse",
        resource == Tool::"mcp__github__create_issue");
"""


def keycard(take: Import, text: str = KEYCARD, mail: str = "ana@example.com") -> Imported:
    return take("keycard", text, "policy.cedar", mail)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("git status", "allow"),
        ("git log --oneline", "allow"),
        ("git push origin topic", "ask"),
        ("git push --force", "deny"),
        ("npm install", "deny"),
        ("git status && npm install", "deny"),
        ("git status; rm -rf x", "deny"),
    ],
)
def test_keycards_conditions_on_commands(take: Import, command: str, expected: str) -> None:
    assert keycard(take).command(command) == expected


def test_keycards_other_tools(take: Import) -> None:
    rules = keycard(take)
    read = Effect(Verb.READ, "/x", {"name": "x", "folded": "/x", "inside": True, "home": False})
    write = Effect(Verb.WRITE, "/x", dict(read.attributes))
    issue = Effect(Verb.MCP, "github.create_issue", {"server": "github", "tool": "create_issue"})
    assert rules.says(read, tool="read") == "allow"
    assert rules.says(write, tool="edit") == "deny"  # nothing permits it
    assert rules.says(issue, tool="mcp__github__create_issue") == "ask"
    assert rules.says(issue, tool="mcp__github__delete_issue") == "deny"
    assert rules.says(read, tool="bash") == "none", "what a command reads is not Keycard's matter"


def test_keycards_people(take: Import) -> None:
    assert keycard(take, mail="bob@example.com").command("git status") == "deny"
    unnamed = keycard(take, mail="")
    assert unnamed.command("git status") == "deny"
    assert "--mail ana@example.com" in unnamed.notes
    forbid = (
        'permit (principal, action, resource);\nforbid (principal == User::"bob@example.com", '
        'action == Action::"Agent::ToolUse", resource == Tool::"bash");'
    )
    assert keycard(take, forbid, "").command("git status") == "deny"
    assert keycard(take, forbid, "ana@example.com").command("git status") == "allow"
    assert keycard(take, forbid, "Bob@example.com").command("git status") == "deny"


def test_keycard_permits_everything_and_forbids_one(take: Import) -> None:
    rules = keycard(
        take,
        'permit (principal, action == Action::"Agent::ToolUse", resource);\n'
        'forbid (principal, action == Action::"Agent::ToolUse", resource)\n'
        'when { resource == Tool::"webfetch" || resource == Tool::"bash" && '
        'context.command like "curl*" };',
    )
    get = Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/"})
    assert rules.command("ls") == "allow"
    assert rules.command("curl https://h.test") == "deny"
    assert rules.says(get, tool="webfetch") == "deny"
    assert rules.says(get, tool="websearch") == "allow"


@pytest.mark.parametrize(
    "command",
    [
        "rm -rf x",
        "'rm' -rf x",
        "rm  -rf x",
        "/bin/rm -rf x",
        "git push --fo''rce",
        "git push --force",
    ],
)
def test_no_quoting_evades_keycards_forbids(take: Import, command: str) -> None:
    forbid = (
        'forbid (principal, action == Action::"Agent::ToolUse", resource == Tool::"bash")'
        ' when {{ context.command like "{}" }};'
    )
    text = "permit (principal, action, resource);" + forbid.format("rm -rf*")
    rules = keycard(take, text + forbid.format("*--force*"))
    assert rules.command(command) == "deny"
    assert rules.command("git push") == "allow"


def test_keycards_documented_forms(take: Import) -> None:
    use = 'action == Action::"Agent::ToolUse"'
    rules = keycard(
        take,
        f"""
        @description("Reading is for everybody.")
        permit (principal, {use}, resource == Tool::"read");
        @description("Building, on staging, after a look.") @credentials("staging") @itl("prompt")
        permit (principal, {use}, resource == Tool::"Bash") when {{
          context has command && (
            context.command like "go test *" || context.command like "go build *"
          )
        }};
        forbid (principal, {use}, resource == Tool::"webfetch");
        """,
    )
    read = Effect(Verb.READ, "/x", {"name": "x", "folded": "/x", "inside": True, "home": False})
    get = Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/"})
    assert rules.command("go test ./...") == "ask"
    assert rules.command("go run .") == "deny"
    assert rules.says(read, tool="read") == "allow"
    assert rules.says(get, tool="webfetch") == "deny"
    assert "@credentials('staging')" in rules.notes
    assert "Building, on staging, after a look." in rules.result.text


def test_one_of_keycards_permits_that_asks_is_enough(take: Import) -> None:
    use = 'principal, action == Action::"Agent::ToolUse", resource == Tool::"bash"'
    rules = keycard(take, f'permit ({use}); @itl("prompt") permit ({use});')
    assert rules.command("ls") == "ask"
    assert keycard(take, f"permit ({use});").command("ls") == "allow"
    assert keycard(take, f"permit ({use}); forbid ({use});").command("ls") == "deny"


def test_keycards_forbids_that_are_lost_are_told(take: Import) -> None:
    rules = keycard(
        take,
        'forbid (principal, action == Action::"Agent::ToolUse", resource)'
        ' when { context.cwd like "/etc*" };',
    )
    assert rules.result.lost
    assert rules.command("ls") == "deny", "nothing is permitted either"
    with pytest.raises(PolicyError, match=r"policy\.cedar:2"):
        keycard(take, "\npermit (principal")
