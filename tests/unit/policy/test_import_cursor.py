"""Cursor's rules mean here what its documentation says."""

from __future__ import annotations

from supervisor.model import Effect, Verb
from tests.support.imported import Import


def test_cursor(take: Import) -> None:
    rules = take(
        "cursor",
        {
            "permissions": {
                "allow": ["Shell(ls)", "Shell(git:status *)", "Read(src/**/*.ts)",
                          "WebFetch(docs.example.com)", "Mcp(github:get_issue)"],
                "deny": ["Shell(rm)", "Read(.env*)", "Write(**/*.key)"],
            },
            "approvalMode": "unrestricted",
        },
        "cli-config.json",
    )  # fmt: skip
    assert rules.command("ls -l") == "allow"
    assert rules.command("git status -s") == "allow"
    assert rules.command("git push") == "none"
    assert rules.command("ls && rm x") == "deny"
    assert rules.file(Verb.READ, "src/a/b.ts") == "allow"
    assert rules.file(Verb.READ, "src/b.ts") == "allow"
    assert rules.file(Verb.READ, "src/b.js") == "none"
    assert rules.file(Verb.READ, ".env.local") == "deny"
    assert rules.file(Verb.WRITE, "deep/a.key") == "deny"
    get = {"method": "GET", "path": "/"}
    assert rules.says(Effect(Verb.HTTP, "docs.example.com", get)) == "allow"
    issue = {"server": "github", "tool": "get_issue"}
    assert rules.says(Effect(Verb.MCP, "github.get_issue", issue)) == "allow"
    assert "unrestricted" in rules.notes
