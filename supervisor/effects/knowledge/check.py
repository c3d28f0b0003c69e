"""Checks of the tables and of their examples."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from supervisor.effects.files import Place
from supervisor.effects.http import http_effect
from supervisor.effects.knowledge.index import Knowledge
from supervisor.effects.knowledge.tables import KnowledgeError, parse_effect, variant
from supervisor.effects.programs.generic import read_program
from supervisor.effects.reading import Reading, Where, Word
from supervisor.model import Effect, Verb

WORKSPACE, HOME = "/work/project", "/home/ana"
_OPERATORS = frozenset({";", "&&", "||", "|", "&"})


@dataclass(slots=True)
class ExampleShell:
    """Runs no shell syntax but lists of simple commands: enough for what examples hand on."""

    tables: Knowledge
    seen: list[str] = field(default_factory=list)

    def run(self, words: Sequence[Word], where: Where, reading: Reading) -> None:
        read_program(words, where, reading, self, tables=self.tables)

    def script(self, text: Word, where: Where, reading: Reading) -> None:
        if not text.exact:
            self.run([Word("sh", exact=False)], where, reading)
            return
        where = replace(where, depth=where.depth + 1)
        for command in _commands(text.text):
            self.run(command, where, reading)


def _commands(text: str) -> Iterator[list[Word]]:
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[Word] = []
    for token in lexer:
        if token in _OPERATORS:
            if words:
                yield words
            words = []
        else:
            words.append(Word(token))
    if words:
        yield words


def example_effects(command: str, tables: Knowledge) -> list[Effect]:
    """The effects of an example's one simple command."""
    words = [
        Word(HOME + text[1:] if text == "~" or text.startswith("~/") else text)
        for text in shlex.split(command)
    ]
    reading = Reading()
    where = Where(Place(WORKSPACE, HOME), WORKSPACE)
    ExampleShell(tables).run(words, where, reading)
    return reading.effects


def written(effect: Effect) -> str:
    """An effect as examples write it."""
    attributes = effect.attributes
    match effect.verb:
        case Verb.READ | Verb.WRITE | Verb.DELETE | Verb.CONNECT | Verb.RUN:
            return f"{effect.verb.value} {effect.resource}"
        case Verb.HTTP:
            return f"http {attributes['method']} {effect.resource}{attributes['path']}"
        case Verb.PUSH:
            how = [name for name in ("delete", "force") if attributes[name]]
            return " ".join(["push", effect.resource, *how])
        case Verb.SQL:
            return f"sql {attributes['statement']} {attributes['tables']}".strip()
        case Verb.INSTALL:
            return f"install {effect.resource} {attributes['package']}".strip()
        case Verb.OPERATE:
            return f"operate {effect.resource} {attributes['degree']}"
        case _:
            return effect.label


def expected(text: str) -> str:
    """A written effect in the form that `written` gives."""
    words = parse_effect(text, "example")
    match words:
        case ("read" | "write" | "delete", path):
            path = path.replace("~", HOME, 1) if path.startswith("~") else path
            return f"{words[0]} {_normal(path)}"
        case ("http", method, address):
            effect = http_effect(address, method)
            return written(effect)
        case ("connect", host):
            return f"connect {host.lower()}"
        case _:
            return " ".join(part for part in words if part)


def _normal(path: str) -> str:
    parts: list[str] = []
    for part in f"{WORKSPACE}/{path}".split("/") if path[:1] != "/" else path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)


def compare(command: str, wanted: Iterable[str], tables: Knowledge) -> str:
    """What is wrong with an example, "" when nothing is."""
    effects = example_effects(command, tables)
    first, others = effects[0], effects[1:]
    want = {expected(text) for text in wanted}
    if not first.attributes["known"] and "opaque" not in want:
        return f"{command}: {first.attributes['why']}"
    found = {written(effect) for effect in others}
    opaque = [e for e in effects if e.verb is Verb.RUN and _doubted(e)]
    if opaque:
        found.add("opaque")
    if found == want:
        return ""
    why = f" ({opaque[0].attributes['why']})" if opaque and "opaque" not in want else ""
    gives, wants = ("; ".join(sorted(texts)) or "nothing" for texts in (found, want))
    return f"{command}: gives {gives}{why}, not {wants}"


def _doubted(run: Effect) -> bool:
    """It cannot be told what the program does in this form. One that nobody knows is no example."""
    why = str(run.attributes["why"])
    return bool(why) and why != f"{run.resource} is not known"


def check(files: Sequence[Path], tables: Knowledge) -> Iterator[str]:
    """Every fault of `files`, whose tables are among `tables`, one sentence each."""
    for file in files:
        text = file.read_text("utf-8")
        try:
            parsed = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            yield f"{file.name}: {error}"
            continue
        indexed = Knowledge([(file.name, text)])
        for name in parsed:
            if tuple(name.split()) not in indexed.keys:
                yield f'{file.name}: the header of {name!r} must be a line ["{name}"]'
        for key in indexed.keys:
            if " ".join(key) not in parsed:
                yield f"{file.name}: {' '.join(key)!r} is not a header where it stands"
                continue
            yield from _check_table(key, file.name, tables)


def _check_table(key: tuple[str, ...], file: str, tables: Knowledge) -> Iterator[str]:
    try:
        table = tables.table(key)
        examples = tables.examples(key).examples
        if table is None:
            return
        for when in table.when:
            variant(table, [when.changes])
    except KnowledgeError as error:
        yield str(error)
        return
    if len(key) > 1 and tables.table(key[:-1]) is None:
        yield f"{file}: {' '.join(key)!r} needs a table {' '.join(key[:-1])!r}"
        return
    for command, wanted in examples:
        fault = compare(command, wanted, tables)
        if fault:
            yield f"{file}: {fault}"
