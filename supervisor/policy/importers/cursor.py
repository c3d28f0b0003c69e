"""Cursor's allowlists: `permissions` of cli-config.json, and permissions.json.

Source: cursor.com/docs/cli/reference/permissions. `Shell(commandBase)` is the first word of a
command, with `command:args` for its arguments; `Read` and `Write` take globs, relative ones below
the workspace; `WebFetch(domain)`, `Mcp(server:tool)`. Deny goes before allow; the rest is asked.
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
    read_json,
    texts,
    too_wide,
)
from supervisor.policy.writing import like, pattern

if TYPE_CHECKING:
    from supervisor.policy.importers import Options

_RULE = re.compile(r"(?P<kind>Shell|Read|Write|WebFetch|Mcp)\((?P<content>.+)\)", re.DOTALL)
_LISTS = (("deny", Outcome.DENY), ("allow", Outcome.ALLOW))


def read(text: str, file: Path, options: Options) -> Imported:
    """The rules of one file. Raises PolicyError."""
    settings = read_json(text, file.name)
    permissions = settings.get("permissions")
    permissions = permissions if isinstance(permissions, dict) else {}
    written = [
        (each, each, outcome) for name, outcome in _LISTS for each in texts(permissions.get(name))
    ]
    for key, kind in (("terminalAllowlist", "Shell"), ("mcpAllowlist", "Mcp")):
        written += [(e, f"{kind}({e})", Outcome.ALLOW) for e in texts(settings.get(key))]
    rules: list[Rule] = []
    notes: list[str] = []
    lost: list[str] = []
    for own, rule, outcome in written:
        origin = located(text, file.name, own)
        found = _RULE.fullmatch(rule.strip())
        strict = outcome is not Outcome.ALLOW
        reason = "this form is not known here"
        if found:
            reason = "" if strict else _refused(found["kind"], found["content"])
        if found and not reason:
            actions, condition = _meaning(found["kind"], found["content"], strict, options)
            words = f"{own} in Cursor's settings"
            rules.append(Rule(outcome, actions, condition, origin, words))
        else:
            (lost if strict else notes).append(f"{origin}: {reason}")
    if settings.get("approvalMode") == "unrestricted":
        notes.append(f"{file.name}: approvalMode unrestricted is not carried over")
    return Imported("cursor", tuple(rules), tuple(notes), tuple(lost))


def _refused(kind: str, content: str) -> str:
    """Why an allowance is not carried over; "" when it is."""
    if kind == "Shell":
        reason = too_wide(pattern(_command(content)))
        return f"{reason}; ordinary commands go on anyway" if reason else ""
    if kind == "Mcp" and pattern(content.partition(":")[0])[:1] == (None,):
        return "an allowance names its server"
    if content in ("*", "**"):
        return "it covers everything; the workspace and fetching go on anyway"
    return ""


def _meaning(
    kind: str, content: str, strict: bool, options: Options
) -> tuple[tuple[str, ...], str]:
    if kind == "Shell":
        return ("run",), command(pattern(_command(content)), strict=strict)
    if kind in ("Read", "Write"):
        actions = ("read",) if kind == "Read" else CHANGES
        return actions, _file(content, strict, options)
    if kind == "WebFetch":
        host = like("context.host", pattern(content.casefold()))
        reading = ' && ["GET", "HEAD"].contains(context.method)'
        return (NETWORK, host) if strict else (("http",), host + reading)
    server, _, tool = content.partition(":")
    conditions = [like("context.server", pattern(server.strip()))]
    if tool.strip() not in ("", "*"):
        conditions.append(like("context.tool", pattern(tool.strip())))
    return ("mcp",), " && ".join(conditions)


def _command(content: str) -> str:
    """`git`, or `npm:run *`, as a form of the whole command."""
    program, colon, arguments = content.partition(":")
    if not colon:
        return program if program.endswith("*") else f"{program} *"
    return f"{program} {arguments}" if arguments else program


def _file(content: str, strict: bool, options: Options) -> str:
    if content.startswith("~/"):
        return path(content[2:], anchor=options.home, exact=not strict)
    if content.startswith("/"):
        return path(content[1:], anchor="/", exact=not strict)
    glob = content.removeprefix("./")
    return path(glob, anchor="", exact=not strict)
