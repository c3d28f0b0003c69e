"""MySQL's and MariaDB's clients."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.database import Database, follow_file, given_texts, read_input
from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_MYSQL_LINE = re.compile(
    r"\s*(?:\\([!.TPer])|(system|source|tee|pager|edit|connect)\b)\s*(.*)", re.IGNORECASE
)
_MYSQL_LETTERS = {
    "!": "system",
    ".": "source",
    "T": "tee",
    "P": "pager",
    "e": "edit",
    "r": "connect",
}


def _mysql_at(invocation: Invocation, given: Given) -> Database:
    database = Database(invocation, "mysql")
    host = given.value("-h")
    name = given.operands[0].text if given.operands else ""
    database.at(
        host or Word(invocation.where.variables.get("MYSQL_HOST", "")), given.value("-P"), name
    )
    return database


@reader
def mysql(invocation: Invocation, words: Sequence[Word]) -> None:
    """SQL from -e or the input, with the client's own commands in between."""
    given = described(invocation, words)
    database = _mysql_at(invocation, given)
    if given.has("--print-defaults"):
        return
    if not given_texts(database, given, _mysql_text, "-e", ""):
        read_input(database, _mysql_text)


def _mysql_text(database: Database, text: str) -> None:
    sql = []
    for line in text.splitlines():
        bare = re.sub(
            r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`", lambda m: "x" * len(m[0]), line
        )
        inner = re.search(r"\\[!.TPer]", bare)
        match = _MYSQL_LINE.match(line)
        if match is None and inner is not None:
            sql.append(line[: inner.start()] + ";")
            match = _MYSQL_LINE.match(line[inner.start() :])
        if match is None:
            sql.append(re.sub(r"\\[Gg]", ";", line) if re.search(r"\\[Gg]", bare) else line)
            continue
        _mysql_command(database, match[2] or _MYSQL_LETTERS[match[1]], match[3].rstrip("; "))
    database.sql("\n".join(sql))


def _mysql_command(database: Database, name: str, rest: str) -> None:
    match name.lower():
        case "system":
            database.invocation.script(Word(rest))
        case "source":
            follow_file(database, Word(rest), _mysql_text)
        case "tee":
            database.invocation.write(Word(rest))
        case "pager":
            database.invocation.script(Word(rest))
        case _:
            database.unread(f"is given {name}, which cannot be read beforehand")


@reader
def mysql_tool(invocation: Invocation, words: Sequence[Word]) -> None:
    """`mysqldump` reads; `mysqladmin` does what its words say."""
    given = described(invocation, words)
    dumps = invocation.program not in {"mysqladmin", "mariadb-admin"}
    database = _mysql_at(invocation, given if dumps else Given(options=given.options))
    if dumps:
        database.statement("select")
        return
    for word in given.operands[:1]:
        if word.text in {"create", "drop"}:
            database.statement("ddl" if word.text == "create" else "drop")
        elif word.text not in names("ping status extended-status processlist version variables"):
            database.statement("other")
