"""What a word means by its role: see the roles in the knowledge's README."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from supervisor.effects.environment import loads_code
from supervisor.effects.files import within
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import find_reader
from supervisor.effects.reading import Where, Word
from supervisor.model import Verb

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
# Where the machine keeps its programs.
TRUSTED = re.compile(
    r"(?:/usr(?:/local)?|/opt/homebrew|/opt/local|/snap)?/s?bin/[^/]+|/usr/lib(?:exec)?/[^/]+/[^/]+"
)


def rest(invocation: Invocation, role: str, words: Sequence[Word]) -> None:
    """The rest of the words is a command of its own."""
    if not words:
        return
    match role:
        case "program":
            invocation.run(words)
        case "elsewhere":
            invocation.run(words, invocation.deeper(elsewhere=True))
        case _:
            invocation.script(joined(words))


def joined(words: Sequence[Word]) -> Word:
    """The words as one text, with blanks between them."""
    return Word(
        " ".join(word.text for word in words),
        exact=all(word.exact and not word.glob for word in words),
    )


def apply(invocation: Invocation, role: str, word: Word) -> None:
    """What it means that `word` stands in `role`."""
    if role.startswith("code:"):
        code(invocation, role[5:], word)
        return
    if role.startswith("by:"):
        read = find_reader(role[3:])
        if read is None:
            invocation.opaque(f"needs the reader {role[3:]}, which is missing")
        else:
            read(invocation, (word,))
        return
    _APPLY[role](invocation, word)


def code(invocation: Invocation, language: str, text: Word) -> None:
    """`text` is a program in `language` that is executed."""
    from supervisor.effects.programs import languages

    invocation.source = invocation.source or "arguments"
    languages.read_code(invocation, language, text)


def script(invocation: Invocation, word: Word, language: str = "") -> None:
    """A file that is executed as a program in `language`, where that is known."""
    from supervisor.effects.programs import languages

    invocation.source = "file"
    languages.read_script(invocation, word, language or invocation.table.input)


def from_input(invocation: Invocation) -> None:
    """The program takes its program from its standard input."""
    from supervisor.effects.programs import languages

    languages.read_input(invocation, invocation.table.input)


def _text(invocation: Invocation, word: Word) -> None:
    del invocation, word


def _read(invocation: Invocation, word: Word) -> None:
    if word.text == "-":
        return
    invocation.read(word)
    if word.text[:1] == "@" and len(word.text) > 1:
        # Compilers and their like take more words from a file that is named so.
        invocation.read(replace(word, text=word.text[1:]))


def _write(invocation: Invocation, word: Word) -> None:
    if word.text != "-":
        invocation.write(word)


def _delete(invocation: Invocation, word: Word) -> None:
    invocation.delete(word)


def _edit(invocation: Invocation, word: Word) -> None:
    if invocation.read(word):
        invocation.write(word)


def _move(invocation: Invocation, word: Word) -> None:
    if invocation.read(word):
        invocation.delete(word)


def _in(invocation: Invocation, word: Word) -> None:
    where = invocation.where
    cwd = ""
    if word.exact and (where.cwd or word.text.startswith("/")):
        cwd = resolve(word.text, where.cwd)
    if not cwd and not where.elsewhere:
        invocation.opaque("works in a directory that is only known when it runs")
    invocation.where = replace(where, cwd=cwd)


def resolve(path: str, cwd: str) -> str:
    """The real path of `path` seen from `cwd`; "" for what no file can be called."""
    try:
        return os.path.realpath(os.path.join(cwd, path))
    except ValueError:
        return ""


def _at_read(invocation: Invocation, word: Word) -> None:
    if word.text.startswith("@"):
        _read(invocation, replace(word, text=word.text[1:]))
    elif not word.exact:
        invocation.opaque("may read a file that is only known when it runs")


def _at_value(invocation: Invocation, word: Word) -> None:
    _, equals, value = word.text.partition("=")
    _at_read(invocation, replace(word, text=value) if equals else word)


def _remote_read(invocation: Invocation, word: Word) -> None:
    invocation.remote(Verb.READ, word)


def _remote_write(invocation: Invocation, word: Word) -> None:
    invocation.remote(Verb.WRITE, word)


def _command(invocation: Invocation, word: Word) -> None:
    invocation.script(word)


def library(invocation: Invocation, word: Word) -> None:
    """Code of the workspace is the project's; any other cannot be told to be harmless."""
    if not invocation.read(word):
        return
    where = invocation.where
    if not where.elsewhere and within(resolve(word.text, where.cwd), where.place.workspace):
        invocation.act = invocation.act or "project"
    else:
        invocation.opaque(f"loads code from {word.text}")


def _assignment(invocation: Invocation, word: Word) -> None:
    match = _ASSIGNMENT.match(word.text)
    if match is None:
        invocation.opaque("sets a variable that is only known when it runs")
        return
    _give(invocation, match[1], word.text[match.end() :] if word.exact else None)
    if _is_usual(match[1], word, invocation.where):
        return
    if loads_code(match[1], word.text[match.end() :] if word.exact else None):
        invocation.opaque(f"sets {match[1]}, which changes what programs run")


def _give(invocation: Invocation, name: str, value: str | None) -> None:
    """What it runs is given the variable; None for a value that is only known when it runs."""
    where = invocation.where
    others = {key: given for key, given in where.variables.items() if key != name}
    if value is None:
        invocation.where = replace(where, variables=others, vague=where.vague | {name})
    else:
        variables = {**others, name: value}
        invocation.where = replace(where, variables=variables, vague=where.vague - {name})


def _is_usual(name: str, word: Word, where: Where) -> bool:
    """A PATH of folders that are searched anyway, the home directory as it is."""
    value = word.text.partition("=")[2]
    if not word.exact or not value:
        return False
    if name == "HOME":
        return value == where.place.home
    usual = os.environ.get("PATH", "").split(":")
    return name == "PATH" and all(
        folder in usual or TRUSTED.fullmatch(f"{folder}/x") for folder in value.split(":")
    )


def _ref(invocation: Invocation, word: Word) -> None:
    invocation.target = invocation.target or word.text


def _opaque(invocation: Invocation, word: Word) -> None:
    invocation.opaque(f"is told {word.text}, which cannot be read beforehand")


_APPLY: dict[str, Callable[[Invocation, Word], None]] = {
    "text": _text,
    "read": _read,
    "write": _write,
    "delete": _delete,
    "edit": _edit,
    "move": _move,
    "clear": lambda invocation, word: invocation.clear(word),
    "mode": _write,
    "link": _text,
    "in": _in,
    "url": lambda invocation, word: invocation.url(word),
    "host": lambda invocation, word: invocation.host(word),
    "at-read": _at_read,
    "at-value": _at_value,
    "remote-read": _remote_read,
    "remote-write": _remote_write,
    "command": _command,
    "script": script,
    "library": library,
    "assign": _assignment,
    "package": lambda invocation, word: invocation.install(word),
    "pid": _text,
    "ref": _ref,
    "opaque": _opaque,
}
