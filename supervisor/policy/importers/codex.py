"""Codex's `.rules` files.

Source: developers.openai.com/codex/rules, and codex-rs/execpolicy of its repository. `prefix_rule`
compares the words of a command with a prefix, whose elements may list alternatives; of all rules
that match, the strictest decides; `match` and `not_match` are tried when the file is loaded.
`host_executable` lists the paths that a bare name stands for, `network_rule` decides about a host.
The files are Starlark, of which we read calls with literal arguments: nothing is executed.
"""

from __future__ import annotations

import ast
import itertools
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.errors import PolicyError
from supervisor.model import Outcome
from supervisor.policy.importers.rules import NETWORK, Imported, Rule, command, too_wide
from supervisor.policy.writing import Pattern, either, quoted

if TYPE_CHECKING:
    from supervisor.policy.importers import Options

_DECISIONS = {"allow": Outcome.ALLOW, "prompt": Outcome.ASK, "forbidden": Outcome.DENY}
_NETWORK_DECISIONS = {"allow": Outcome.ALLOW, "prompt": Outcome.ASK, "deny": Outcome.DENY}
_NETWORK_KEYS = frozenset({"host", "protocol", "decision", "justification"})
_KEYS = frozenset({"pattern", "decision", "justification", "match", "not_match"})
_MOST = 256  # spelled out prefixes of one rule

Prefix = tuple[tuple[str, ...], ...]  # for each word, its alternatives


def read(text: str, file: Path, options: Options) -> Imported:
    """The rules of one file.

    Raises:
        PolicyError: naming file, line and column; also when an example of a rule fails.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None) or 1
        what = getattr(error, "msg", None) or str(error)
        raise PolicyError(
            f"{file.name}:{line}:{column}: {what}.", hint="It must be a file of Codex rules."
        ) from None
    rules: list[Rule] = []
    notes: list[str] = []
    calls = [(node, *_call(node, file.name)) for node in tree.body if not _is_text(node)]
    paths = _paths(arguments for _, name, arguments in calls if name == "host_executable")
    for node, name, arguments in calls:
        where = f"{file.name}:{node.lineno}"
        if name == "prefix_rule":
            rule = _rule(arguments, where, paths)
            reason = _too_wide(rule, arguments)
            if reason:
                notes.append(f"{rule.origin}: {reason}; ordinary commands go on anyway")
            else:
                rules.append(rule)
        elif name == "network_rule":
            rules.append(_network_rule(arguments, where))
        elif name != "host_executable":
            raise _error(where, node, f"there is no {name}()")
    return Imported("codex", tuple(rules), tuple(notes))


def _is_text(node: ast.stmt) -> bool:
    """A text on its own, which says nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _paths(entries: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """By bare name, the paths that it stands for."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        listed = entry.get("paths")
        paths = listed if isinstance(listed, list) else []
        known = found.setdefault(str(entry.get("name", "")), [])
        known += [os.path.expanduser(each) for each in paths if isinstance(each, str)]
    return found


def _network_rule(arguments: dict[str, Any], where: str) -> Rule:
    unknown = arguments.keys() - _NETWORK_KEYS
    host, decision = arguments.get("host"), arguments.get("decision")
    if unknown or not isinstance(host, str) or not host or decision not in _NETWORK_DECISIONS:
        raise _bad(where, "network_rule has a host, and allow, prompt or deny as its decision")
    outcome = _NETWORK_DECISIONS[decision]
    condition = f"context.host == {quoted(host.casefold())}"
    if outcome is Outcome.ALLOW:
        condition += ' && context.call.credential == ""'
    words = str(arguments.get("justification") or f"{host} in Codex's rules")
    return Rule(outcome, NETWORK, condition, f"{where}: {host}", words)


def _call(node: ast.stmt, name: str) -> tuple[str, dict[str, Any]]:
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise _error(f"{name}:{node.lineno}", node, "only prefix_rule(name = value, …) is read")
    arguments: dict[str, Any] = {}
    for keyword in call.keywords:
        try:
            arguments[keyword.arg or "**"] = ast.literal_eval(keyword.value)
        except (ValueError, TypeError, RecursionError):
            raise _error(f"{name}:{keyword.lineno}", keyword, "the value is no literal") from None
    return call.func.id, arguments


def _error(where: str, node: Any, what: str) -> PolicyError:
    return PolicyError(
        f"{where}:{node.col_offset + 1}: {what}.", hint="See developers.openai.com/codex/rules."
    )


def _rule(arguments: dict[str, Any], where: str, paths: Mapping[str, list[str]]) -> Rule:
    unknown = arguments.keys() - _KEYS
    if unknown:
        raise _bad(where, f"prefix_rule has no {sorted(unknown)[0]}")
    prefix = _prefix(arguments.get("pattern"), where)
    decision = arguments.get("decision", "allow")
    if decision not in _DECISIONS:
        raise _bad(where, f"{decision!r} is not allow, prompt or forbidden")
    outcome = _DECISIONS[decision]
    shown = " ".join("|".join(word) for word in prefix)
    others = tuple(path for name in prefix[0] for path in paths.get(name, ()))
    meant = ((*prefix[0], *others), *prefix[1:])
    match = _examples(arguments.get("match", []), where)
    not_match = _examples(arguments.get("not_match", []), where)
    for words in match:
        if not _covers(prefix, words):
            raise _bad(where, f"match fails: {shown} does not cover {shlex.join(words)!r}")
    for words in not_match:
        if _covers(prefix, words):
            raise _bad(where, f"not_match fails: {shown} covers {shlex.join(words)!r}")
    return Rule(
        outcome,
        ("run",),
        _condition(meant, where, strict=outcome is not Outcome.ALLOW),
        f"{where}: {shown}",
        str(arguments.get("justification") or f"{shown} in Codex's rules"),
        program=prefix[0][0].rpartition("/")[2] if len(prefix[0]) == 1 else "",
        match=tuple(map(shlex.join, match)),
        not_match=tuple(map(shlex.join, not_match)),
    )


def _bad(where: str, what: str) -> PolicyError:
    return PolicyError(f"{where}:1: {what}.", hint="See developers.openai.com/codex/rules.")


def _prefix(value: Any, where: str) -> Prefix:
    words = value if isinstance(value, list) else []
    prefix = tuple(tuple(word) if isinstance(word, list) else (word,) for word in words)
    if not prefix or not all(
        word and all(isinstance(each, str) and each for each in word) for word in prefix
    ):
        raise _bad(where, "pattern is no list of words, or of lists of words")
    return prefix


def _examples(value: Any, where: str) -> list[list[str]]:
    found: list[list[str]] = []
    for example in value if isinstance(value, list) else [value]:
        try:
            words = shlex.split(example) if isinstance(example, str) else list(example)
        except (ValueError, TypeError):
            words = []
        if not words or not all(isinstance(word, str) for word in words):
            raise _bad(where, f"{example!r} is no command")
        found.append(words)
    return found


def _covers(prefix: Prefix, words: list[str]) -> bool:
    return len(words) >= len(prefix) and all(
        word in alternatives for word, alternatives in zip(words, prefix, strict=False)
    )


def _forms(prefix: Prefix) -> list[Pattern]:
    return [(" ".join(words) + " ", None) for words in itertools.product(*prefix)]


def _condition(prefix: Prefix, where: str, *, strict: bool) -> str:
    count = 1
    for word in prefix:
        count *= len(word)
    if count > _MOST:
        raise _bad(where, f"pattern stands for {count} prefixes, which is more than {_MOST}")
    return either(command(form, strict=strict) for form in _forms(prefix))


def _too_wide(rule: Rule, arguments: dict[str, Any]) -> str:
    if rule.outcome is not Outcome.ALLOW:
        return ""
    reasons = (too_wide(form) for form in _forms(_prefix(arguments["pattern"], rule.origin)))
    return next(filter(None, reasons), "")
