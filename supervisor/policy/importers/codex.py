"""Codex's `.rules` files.

Source: developers.openai.com/codex/rules. `prefix_rule` compares the words of a command with a
prefix, whose elements may list alternatives; of all rules that match, the strictest decides;
`match` and `not_match` are tried when the file is loaded. The files are Starlark, of which we read
calls with literal arguments: nothing is executed.
"""

from __future__ import annotations

import ast
import itertools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.errors import PolicyError
from supervisor.model import Outcome
from supervisor.policy.importers.rules import Imported, Rule, command, too_wide
from supervisor.policy.writing import Pattern, either

if TYPE_CHECKING:
    from supervisor.policy.importers import Options

_DECISIONS = {"allow": Outcome.ALLOW, "prompt": Outcome.ASK, "forbidden": Outcome.DENY}
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
    for node in tree.body:
        name, arguments = _call(node, file.name)
        where = f"{file.name}:{node.lineno}"
        if name == "prefix_rule":
            rule = _rule(arguments, where)
            reason = _too_wide(rule, arguments)
            if reason:
                notes.append(f"{rule.origin}: {reason}; ordinary commands go on anyway")
            else:
                rules.append(rule)
        elif name == "host_executable":
            notes.append(f"{where}: host_executable: here a path is not taken for its bare name")
        else:
            raise _error(where, node, f"there is no {name}()")
    return Imported("codex", tuple(rules), tuple(notes))


def _call(node: ast.stmt, name: str) -> tuple[str, dict[str, Any]]:
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Constant) and isinstance(call.value, str):
        return "host_executable", {}  # a text on its own says nothing
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


def _rule(arguments: dict[str, Any], where: str) -> Rule:
    unknown = arguments.keys() - _KEYS
    if unknown:
        raise _bad(where, f"prefix_rule has no {sorted(unknown)[0]}")
    prefix = _prefix(arguments.get("pattern"), where)
    decision = arguments.get("decision", "allow")
    if decision not in _DECISIONS:
        raise _bad(where, f"{decision!r} is not allow, prompt or forbidden")
    outcome = _DECISIONS[decision]
    shown = " ".join("|".join(word) for word in prefix)
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
        _condition(prefix, where, strict=outcome is not Outcome.ALLOW),
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
