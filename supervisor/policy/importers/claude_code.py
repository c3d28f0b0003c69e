"""Claude Code's `permissions` in settings.json.

Source: code.claude.com/docs/en/permissions. The first match of deny, ask, allow decides. A rule
about Bash is matched against every part of a compound command; ` *` or `:*` at the end is a word
boundary; a `*` elsewhere takes any characters. Paths are as in .gitignore, anchored by `//` at
the root, `~/` at home, `/` at the project; WebFetch takes `domain:`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from supervisor.model import Outcome
from supervisor.policy.importers.rules import (
    CHANGES,
    NETWORK,
    Imported,
    Rule,
    command,
    located,
    path,
    program_of,
    read_json,
    texts,
    too_wide,
)
from supervisor.policy.writing import Pattern, either, like, pattern, quoted

if TYPE_CHECKING:
    from supervisor.policy.importers import Options

# In the order in which Claude Code asks them.
_LISTS = (("deny", Outcome.DENY), ("ask", Outcome.ASK), ("allow", Outcome.ALLOW))
_RULE = re.compile(r"(?P<tool>[A-Za-z0-9_*-]+)(?:\((?P<content>.*)\))?", re.DOTALL)
# What ends a simple command, or stands beside it; where both outputs go to is no matter.
_SEVERAL = re.compile(r"[;&|<>\n`]|\$\(")
_READS = frozenset({"Read", "Glob", "Grep", "LS", "NotebookRead"})
_EDITS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
_AGENTS = frozenset({"Agent", "Task"})


class NotCarried(Exception):
    """Why a rule has no counterpart."""


def read(text: str, file: Path, options: Options) -> Imported:
    """The rules of one settings file. Raises PolicyError."""
    settings = read_json(text, file.name)
    permissions = settings.get("permissions")
    permissions = permissions if isinstance(permissions, dict) else {}
    rules: list[Rule] = []
    notes: list[str] = []
    lost: list[str] = []
    for name, outcome in _LISTS:
        for written in texts(permissions.get(name)):
            origin = located(text, file.name, written)
            try:
                rules.append(_rule(written, outcome, origin, file, options))
            except NotCarried as reason:
                (notes if outcome is Outcome.ALLOW else lost).append(f"{origin} ({name}): {reason}")
    notes += [
        f"{file.name}: permissions.{key} is not carried over"
        for key in permissions.keys() - {name for name, _ in _LISTS}
    ]
    if "hooks" in settings:
        notes.append(f"{file.name}: hooks are programs, not rules; Claude Code runs them itself")
    return Imported("claude-code", tuple(rules), tuple(sorted(notes)), tuple(lost))


def _rule(written: str, outcome: Outcome, origin: str, file: Path, options: Options) -> Rule:
    found = _RULE.fullmatch(written.strip())
    if found is None:
        raise NotCarried("it does not read as a rule")
    tool, content = found["tool"], found["content"]
    words = f"{written} in Claude Code's settings"
    actions, resource, condition = _meaning(tool, content, outcome, file, options)
    program = program_of(_form(content or "*")) if tool == "Bash" else ""
    return Rule(outcome, actions, condition, origin, words, resource, program)


def _meaning(
    tool: str, content: str | None, outcome: Outcome, file: Path, options: Options
) -> tuple[tuple[str, ...], str, str]:
    """Actions, resource and condition."""
    strict = outcome is not Outcome.ALLOW
    everything = content in (None, "", "*")
    if tool == "Bash":
        return ("run",), "", _bash(content or "*", strict=strict)
    if tool in _READS | _EDITS:
        if everything and not strict:
            raise NotCarried("files in the workspace go on anyway, others are asked about")
        actions = ("read",) if tool in _READS else CHANGES
        return actions, "", "" if everything else _file(content or "", strict, file, options)
    if tool == "WebFetch":
        if everything and not strict:
            raise NotCarried("fetching goes on anyway, sending is asked about")
        return ("http",) if not strict else NETWORK, "", _fetch(content, strict=strict)
    if tool in _AGENTS:
        name = "" if everything else f"Subagent::{quoted(content or '')}"
        return ("spawn",), name, ""
    if tool.startswith("mcp__"):
        if content is not None:
            raise NotCarried("arguments of an MCP tool are not compared")
        return ("mcp",), "", _mcp(tool, strict=strict)
    if content is not None or "*" in tool:
        raise NotCarried("this form is not known here")
    return ("other",), f"Tool::{quoted(tool)}", ""


def _bash(content: str, *, strict: bool) -> str:
    if _SEVERAL.search(content.removesuffix(" 2>&1")):
        raise NotCarried("it spans several commands or a redirection; here each is judged alone")
    parts = _form(content)
    if not strict and (reason := too_wide(parts)):
        raise NotCarried(f"{reason}; ordinary commands go on anyway")
    return command(parts, strict=strict)


def _form(content: str) -> Pattern:
    content = content.removesuffix(" 2>&1")
    if content.endswith(":*"):
        content = content[:-2].rstrip() + " *"
    return pattern(content, escape=True)


def _file(content: str, strict: bool, file: Path, options: Options) -> str:
    if content.startswith("!"):
        raise NotCarried("an exception from other rules is not carried over")
    if content.startswith("//"):
        anchor, glob = "/", content[2:]
    elif content.startswith("~/"):
        anchor, glob = options.home, content[2:]
    elif content.startswith("/"):
        anchor, glob = _project(file), content[1:]
    else:
        # As in .gitignore: a name alone is meant at any depth below the working directory.
        glob = content.removeprefix("./")
        anchor = ""
        if content.startswith("./") or "/" in glob.rstrip("/").removeprefix("**/"):
            anchor = _project(file)
    if glob.endswith("/"):
        glob += "**"
    conditions = [path(glob, anchor=anchor, exact=not strict)]
    if strict and not glob.endswith("*"):
        conditions.append(path(glob + "/**", anchor=anchor, exact=False))  # a directory, and below
    return either(conditions)


def _project(file: Path) -> str:
    """The directory whose `.claude` holds the file; "" where it is nobody's project."""
    where = file.resolve().parent
    home = Path.home()
    if where.name == ".claude" and where.parent != home:
        return str(where.parent)
    return ""


def _fetch(content: str | None, *, strict: bool) -> str:
    methods = '["GET", "HEAD"].contains(context.method)'
    if content in (None, "", "*"):
        return ""
    if not (content or "").startswith("domain:"):
        raise NotCarried("only domain: is known for WebFetch")
    domain = (content or "").removeprefix("domain:").casefold()
    host = like("context.host", pattern(domain))
    return host if strict else f"{host} && {methods}"


def _mcp(tool: str, *, strict: bool) -> str:
    server, _, name = tool.removeprefix("mcp__").partition("__")
    if not server or ("*" in server and not strict):
        raise NotCarried("an allowance names its server")
    conditions = [like("context.server", pattern(server))]
    if name not in ("", "*"):
        conditions.append(like("context.tool", pattern(name)))
    return " && ".join(conditions)
