"""Rules of other tools mean here what their documentation says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.effects import effects_of
from supervisor.errors import PolicyError, UsageError
from supervisor.model import Effect, Outcome, ToolCall, ToolKind, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator
from supervisor.policy.importers import TOOLS, Options, Result, import_file
from supervisor.policy.source import Layer, PolicySource
from tests.support.judging import shell_effects

HOME = "/home/ana"
# Asks about everything, so that what no imported rule covers can be told apart.
BASE = PolicySource(
    "base", '@id("base") @ask("?") permit (principal, action, resource);', Layer.PRESET
)

Import = Callable[..., "Imported"]


class Imported:
    """An imported file, and what its rules say."""

    def __init__(self, result: Result, workspace: Path) -> None:
        self.result = result
        self.workspace = str(workspace)
        source = PolicySource("imported", result.text, Layer.USER)
        self.engine = CedarEngine([BASE, source])

    def says(self, *effects: Effect, tool: str = "bash") -> str:
        """allow, ask or deny: the strictest of what the rules say; none: no rule covers one."""
        where = Evaluator(self.engine, True, self.workspace, HOME).situation
        where = type(where)(where.task, where.call_identity, where.workspace, tool=tool)
        found = set()
        for verdict in self.engine.judge(effects, where):
            ours = not any(policy.id == "base" for policy in verdict.policies)
            found.add(verdict.outcome.value if ours else "none")
        return next(word for word in ("deny", "ask", "none", "allow") if word in found)

    def command(self, text: str) -> str:
        """What the rules say about running the programs of a command."""
        effects = shell_effects(text, self.workspace, HOME)
        return self.says(*(effect for effect in effects if effect.verb is Verb.RUN))

    def file(self, verb: Verb, path: str) -> str:
        kind = ToolKind.READ if verb is Verb.READ else ToolKind.WRITE
        call = ToolCall("", "x", kind, {}, self.workspace, paths=(path,))
        return self.says(*effects_of(call, self.workspace, HOME), tool="read")

    @property
    def notes(self) -> str:
        return "\n".join((*self.result.notes, *self.result.lost))


@pytest.fixture
def take(tmp_path: Path) -> Import:
    def take(tool: str, content: Any, name: str = "", mail: str = "") -> Imported:
        workspace = tmp_path / "ws"
        workspace.mkdir(exist_ok=True)
        file = tmp_path / (name or "rules")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return Imported(import_file(tool, file, Options(home=HOME, mail=mail)), workspace)

    return take


# ── Claude Code ─────────────────────────────────────────────────────────────────────────────


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


# ── Codex ───────────────────────────────────────────────────────────────────────────────────

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


# ── Cursor ──────────────────────────────────────────────────────────────────────────────────


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


# ── OpenClaw ────────────────────────────────────────────────────────────────────────────────


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


# ── Keycard ─────────────────────────────────────────────────────────────────────────────────

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


# ── All ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text", ["", "{", "[]", "\0", "permit", '{"permissions": 1, "agents": []}']
)
def test_junk_is_refused_or_gives_no_permission(take: Import, tool: str, text: str) -> None:
    try:
        rules = take(tool, text)
    except PolicyError:
        return  # refused in words, not with a traceback
    assert rules.command("ls") != "allow"


def test_what_is_imported_never_lifts_a_refusal(tmp_path: Path) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"permissions": {"allow": ["Bash(sudo ls:*)", "Read(~/.ssh/**)"]}}))
    text = import_file("claude-code", file, Options(home=HOME)).text
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "x.cedar").write_text(text)
    engine = CedarEngine.load(user_directory=tmp_path / "policy")
    evaluator = Evaluator(engine, True, str(tmp_path), HOME)
    for command in ("sudo ls", f"cat {HOME}/.ssh/id_ed25519"):
        assert evaluator.evaluate({"command": command}).decision is Outcome.DENY


def test_there_is_no_other_importer(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no importer"):
        import_file("emacs", tmp_path)
