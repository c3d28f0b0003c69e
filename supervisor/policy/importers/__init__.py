"""Rules of other tools as Cedar policies of the person's own layer.

Each importer reads one file of one tool, keeps that tool's order of deciding, and says what it
could not carry over. Rules about commands become rules about running the program: the files,
hosts and remotes that the command touches stay judged by the policies in force. Where the two
models differ, the import is the stricter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path

from supervisor.errors import UsageError
from supervisor.policy.engine import CedarEngine
from supervisor.policy.examples import examples_of, holds
from supervisor.policy.files import read_policy
from supervisor.policy.importers.rules import Imported, Rule, render
from supervisor.policy.source import Layer, PolicySource

_TOOLS = {
    "claude-code": "claude_code",
    "codex": "codex",
    "cursor": "cursor",
    "openclaw": "openclaw",
    "keycard": "keycard",
}
TOOLS = tuple(_TOOLS)


@dataclass(frozen=True, slots=True)
class Options:
    """What an import may want to know about the person."""

    home: str = field(default_factory=lambda: str(Path.home()))
    mail: str = ""  # Keycard names people by their mail address


@dataclass(frozen=True, slots=True)
class Result:
    """A policy file, and what is not in it."""

    text: str
    rules: int
    notes: tuple[str, ...]  # what could not be carried over, or differs
    lost: tuple[str, ...]  # of these, what would have refused or asked


def import_file(tool: str, path: Path, options: Options | None = None) -> Result:
    """Read one file of `tool`.

    Raises:
        UsageError: no such tool.
        PolicyError: the file cannot be read; the message names file, line and column.
    """
    if tool not in _TOOLS:
        raise UsageError(f"There is no importer {tool!r}.", hint=f"Use {', '.join(TOOLS)}.")
    module = import_module(f"supervisor.policy.importers.{_TOOLS[tool]}")
    read: Callable[[str, Path, Options], Imported] = module.read
    imported = read(read_policy(path), path, options or Options())
    checked = _with_working_examples(imported)
    text = render(checked)
    CedarEngine([PolicySource(path.name, text, Layer.USER)])
    return Result(text, len(checked.rules), checked.notes, checked.lost)


def _with_working_examples(imported: Imported) -> Imported:
    """Examples that an older or stricter reading does not uphold are told, not written."""
    engine = CedarEngine([PolicySource("import", render(imported), Layer.USER)])
    failing: Mapping[str, set[str]] = {
        policy.id: {example.text for example in examples_of(policy) if not holds(example)}
        for policy in engine.policies
    }
    rules: list[Rule] = []
    notes = list(imported.notes)
    for number, rule in enumerate(imported.rules, 1):
        bad = failing.get(imported.id_of(number), set())
        notes += [
            f"{rule.origin}: here the rule does not hold for {text!r}" for text in sorted(bad)
        ]
        rules.append(
            replace(
                rule,
                match=tuple(text for text in rule.match if text not in bad),
                not_match=tuple(text for text in rule.not_match if text not in bad),
            )
        )
    return replace(imported, rules=tuple(rules), notes=tuple(notes))
