"""OpenClaw's exec-approvals.json.

Source: docs.openclaw.ai/tools/exec-approvals. For each agent, `security` (deny, allowlist, full)
and `ask` (off, on-miss, always); the allowlist holds globs of resolved paths of programs, compared
without case, and every part of a chain must be on it. `askFallback` decides where nobody can be
asked: here nobody's answer is a no.

A path is matched as it is typed; a bare name where, at the import, it was found at such a path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.model import Outcome
from supervisor.policy.importers.rules import Imported, Rule, located, read_json
from supervisor.policy.writing import ANYTHING, either, like, pattern, quoted

if TYPE_CHECKING:
    from supervisor.policy.importers import Options

_AGENT = "main"
_MOST = 64  # bare names of one glob


def read(text: str, file: Path, options: Options) -> Imported:
    """The rules of the agent `main`, or the defaults. Raises PolicyError."""
    settings = read_json(text, file.name)
    agents = _object(settings.get("agents"))
    chosen = _object(settings.get("defaults")) | _object(
        agents.get(_AGENT) or agents.get("default")
    )
    notes = [
        f"{file.name}: agent {name!r} has rules of its own, which are not carried over"
        for name in agents
        if name not in (_AGENT, "default", "*")
    ]
    if chosen.get("autoAllowSkills"):
        notes.append(f"{file.name}: autoAllowSkills: what skills run is judged as any command")
    if chosen.get("askFallback", "deny") != "deny":
        notes.append(f"{file.name}: askFallback: without an answer the answer is no")
    entries = [*_entries(agents.get("*")), *_entries(chosen)]
    allowed: list[tuple[str, str]] = []
    for entry in entries:
        written = str(entry.get("pattern", ""))
        origin = located(text, file.name, written)
        condition, reason = _program(written, options)
        if entry.get("argPattern"):
            condition, reason = "", "argPattern is a regular expression, which Cedar does not know"
        if condition:
            allowed.append((condition, origin))
        else:
            notes.append(f"{origin}: {reason}")
    if "security" not in chosen:
        notes.append(f"{file.name}: security is set elsewhere; taken as allowlist")
    security, ask = str(chosen.get("security", "allowlist")), str(chosen.get("ask", "on-miss"))
    rules = _rules(security, ask, allowed, f"{file.name}: security {security}, ask {ask}")
    if security == "full" and ask != "always":
        notes.append(f"{file.name}: security full is not carried over; ordinary commands go on")
    return Imported("openclaw", tuple(rules), tuple(notes))


def _rules(security: str, ask: str, allowed: list[tuple[str, str]], origin: str) -> list[Rule]:
    words = f"security {security}, ask {ask} in OpenClaw"
    listed = either(condition for condition, _ in allowed) or "false"
    permits = [Rule(Outcome.ALLOW, ("run",), c, o, "on OpenClaw's allowlist") for c, o in allowed]
    if security == "deny" or security not in ("allowlist", "full"):
        return [Rule(Outcome.DENY, ("run",), "", origin, words)]
    if security == "full":
        return [Rule(Outcome.ASK, ("run",), "", origin, words)] if ask == "always" else []
    if ask == "always":
        return [Rule(Outcome.ASK, ("run",), "", origin, words)]
    missing = f"!({listed}) || context.uninspectable"
    outcome = Outcome.DENY if ask == "off" else Outcome.ASK
    return [Rule(outcome, ("run",), missing, origin, words), *permits]


def _object(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _entries(agent: Any) -> list[dict[str, Any]]:
    found = _object(agent).get("allowlist")
    entries = found if isinstance(found, list) else []
    return [e if isinstance(e, dict) else {"pattern": e} for e in entries]


def _program(written: str, options: Options) -> tuple[str, str]:
    """The condition for one entry, or why there is none."""
    if "/" not in written:
        return "", "a bare name is ignored there as well"
    glob = options.home + written[1:] if written.startswith("~/") else written
    name = glob.rpartition("/")[2]
    if name.casefold() in ANYTHING:
        return "", f"{name} runs whatever it is given; ordinary commands go on anyway"
    conditions = [like("context.argv0", pattern(re.sub(r"\*+|\?", "*", glob)))]
    if re.search(r"(?<!\*)\*(?!\*)", glob):
        deeper = re.sub(r"(?<!\*)\*(?!\*)", "*/*", glob)
        conditions.append(f"!({like('context.argv0', pattern(re.sub(r'[*]+', '*', deeper)))})")
    typed = " && ".join(conditions)
    names = sorted(_on_path(glob) - ANYTHING)[:_MOST]
    if not names:
        return typed, ""
    return either([typed, f"[{', '.join(map(quoted, names))}].contains(context.argv0)"]), ""


def _on_path(glob: str) -> set[str]:
    """Bare names that PATH finds at a path of this form, now."""
    form = re.compile(_expression(glob), re.IGNORECASE)
    seen: set[str] = set()
    found: set[str] = set()
    for directory in os.get_exec_path():
        try:
            names = os.listdir(directory)
        except OSError:
            continue
        for name in names:
            if name not in seen and os.access(os.path.join(directory, name), os.X_OK):
                seen.add(name)
                if form.fullmatch(os.path.join(directory, name)):
                    found.add(name)
    return found


def _expression(glob: str) -> str:
    parts = re.split(r"(\*\*/?|\*|\?)", glob)
    forms = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(forms.get(part, re.escape(part)) for part in parts)
