"""OpenClaw's rules mean here what its documentation says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.imported import Import, Imported


def openclaw(take: Import, security: str, ask: str, *patterns: str) -> Imported:
    main = {"security": security, "ask": ask, "allowlist": [{"pattern": p} for p in patterns]}
    return take("openclaw", {"version": 1, "agents": {"main": main}}, "exec-approvals.json")


@pytest.mark.parametrize(
    ("security", "ask", "listed", "missing"),
    [
        ("deny", "off", "deny", "deny"),
        ("deny", "always", "deny", "deny"),
        ("allowlist", "off", "allow", "deny"),
        ("allowlist", "on-miss", "allow", "ask"),
        ("allowlist", "always", "ask", "ask"),
        ("full", "off", "none", "none"),
        ("full", "on-miss", "none", "none"),
        ("full", "always", "ask", "ask"),
        ("nonsense", "off", "deny", "deny"),
    ],
)
def test_openclaw_combines_security_and_ask(
    take: Import, security: str, ask: str, listed: str, missing: str
) -> None:
    rules = openclaw(take, security, ask, "/opt/tools/**/bin/acme-scan")
    assert rules.command("/opt/tools/a/b/bin/acme-scan x") == listed
    assert rules.command("/opt/other/acme-scan x") == missing
    chain = rules.command("/opt/tools/a/bin/acme-scan x && /opt/other/acme-scan x")
    assert chain == missing


def test_openclaw_finds_bare_names_where_they_are(
    take: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "acme-scan"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    rules = openclaw(take, "allowlist", "on-miss", f"{tmp_path}/BIN/*")
    assert rules.command("acme-scan x") == "allow"
    assert rules.command("grep x y") == "ask"


def test_openclaw_tells_what_differs(take: Import) -> None:
    settings = {
        "defaults": {"security": "allowlist", "ask": "on-miss", "askFallback": "full",
                     "autoAllowSkills": True,
                     "allowlist": [{"pattern": "rg"}, {"pattern": "/usr/bin/python3"},
                                   {"pattern": "/usr/bin/git", "argPattern": "^status"}]},
        "agents": {"other": {"security": "full"}},
    }  # fmt: skip
    rules = take("openclaw", settings, "exec-approvals.json")
    assert "security is set elsewhere" in take("openclaw", {}, "exec-approvals.json").notes
    for word in ("askFallback", "autoAllowSkills", "bare name", "python3", "argPattern", "other"):
        assert word in rules.notes, word
    assert rules.command("git status") == "ask"
