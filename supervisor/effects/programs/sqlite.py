"""The shells of SQLite and DuckDB: SQL, and commands that begin with a dot."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.database import Database, follow_file, read_input
from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_DOT_HARMLESS = names(
    "tables schema indexes indices databases headers header mode width separator nullvalue echo "
    "timer timeout bail stats show help quit exit dump fullschema lint dbinfo changes explain eqp "
    "print prompt version vfsname limit selftest sha3sum parameter binary columns rows maxrows "
    "maxwidth large_number_rendering thousand_sep decimal_sep highlight keyword constant"
)
_DUCK_FILE = re.compile(
    r"(?:\b(?:from|join)\s+|\b(?:read_csv(?:_auto)?|read_parquet|parquet_scan|read_json(?:_auto)?|"
    r"read_ndjson)\s*\(\s*)'([^']+)'(\s*\))?",
    re.IGNORECASE,
)
_DUCK_COPY = re.compile(r"(\bcopy\b.*\bto\s+)'([^']+)'", re.IGNORECASE | re.DOTALL)


@reader
def sqlite(invocation: Invocation, words: Sequence[Word]) -> None:
    """`sqlite3 [options] FILE [SQL…]`; lines that begin with a dot are the shell's own."""
    given = described(invocation, words)
    duck = invocation.program == "duckdb"
    database = Database(invocation, "duckdb" if duck else "sqlite")
    operands = list(given.operands)
    file = operands.pop(0) if operands else Word("")
    path = file
    if file.text.startswith("file:"):
        path = Word(file.text[5:].partition("?")[0], file.exact)
    in_memory = path.text in {"", ":memory:"} and path.exact
    start = len(invocation.reading.effects)
    if not in_memory:
        invocation.read(path)
    init = given.value("-init")
    if init is not None and init.text not in {"", "/dev/null"}:
        invocation.opaque("does what a file says")
        invocation.read(init)
    found = False
    for option, value in given.options:
        if value is not None and set(option.names) & {"-cmd", "-c", "-s"}:
            found = found or "-cmd" not in option.names
            _dot_texts(database, value, path)
        elif value is not None and "-f" in option.names:
            found = True
            follow_file(database, value, lambda base, text: _dot_text(base, text, path))
    for word in operands:
        _dot_texts(database, word, path)
    if not operands and not found:
        read_input(database, lambda base, text: _dot_text(base, text, path))
    changes = any(
        effect.attributes.get("statement", "select") != "select"
        for effect in invocation.reading.effects[start:]
    )
    if changes and not in_memory:
        invocation.write(path)


def _dot_texts(database: Database, word: Word, path: Word) -> None:
    if word.exact:
        _dot_text(database, word.text, path)
    else:
        database.unread("is given SQL that is only known when it runs")


def _dot_text(database: Database, text: str, path: Word) -> None:
    sql = []
    for line in text.splitlines():
        if line.startswith("."):
            _dot_command(database, line, path)
        else:
            sql.append(line)
    joined = "\n".join(sql)
    if database.dialect == "duckdb":
        joined = _duck_files(database, joined)
    database.sql(joined)


def _duck_files(database: Database, text: str) -> str:
    """Files that DuckDB takes as tables are read, or written by COPY."""

    def reads(match: re.Match[str]) -> str:
        path = match[1]
        if "://" in path:
            database.unread("reads tables from the network")
        else:
            database.invocation.read(Word(path, glob=any(mark in path for mark in "*?[")))
        head = "from " if not re.match(r"join", match[0], re.IGNORECASE) else "join "
        return ("" if match[2] else head) + "file"

    def writes(match: re.Match[str]) -> str:
        database.invocation.write(Word(match[2]))
        return match[1] + "stdout"

    return _DUCK_FILE.sub(reads, _DUCK_COPY.sub(writes, text))


def _dot_command(database: Database, line: str, path: Word) -> None:
    """A command of the shell; names that are cut short are not taken for whole ones."""
    invocation = database.invocation
    words = [
        match[1] or match[2] or match[0]
        for match in re.finditer(r"'([^']*)'|\"([^\"]*)\"|\S+", line)
    ]
    name, rest = words[0][1:], words[1:]
    piped = next((text for text in rest if text.startswith("|")), "")
    if name in {"shell", "system", "sh"}:
        invocation.script(Word(line.partition(" ")[2]))
    elif name in {"import", "output", "once", "read", "excel", "www"} and piped:
        invocation.script(Word(line.partition("|")[2].rstrip("'\"")))
        database.statement("other")
    elif name == "import" and len(rest) >= 2:
        files = [text for text in rest if not text.startswith("-")]
        invocation.read(Word(files[0]))
        database.statement("insert", files[-1].lower())
    elif name in {"output", "once", "log"}:
        for text in rest[-1:]:
            if text not in {"stdout", "stderr", "off", "on"} and not text.startswith("-"):
                invocation.write(Word(text))
            elif text.startswith("-"):
                database.unread("opens what it puts out in another program")
    elif name in {"backup", "save", "clone"} and rest:
        invocation.write(Word(rest[-1]))
    elif name == "restore" and rest:
        invocation.read(Word(rest[-1]))
        database.statement("other")
    elif name == "open" and rest:
        invocation.read(Word(rest[-1]))
        invocation.write(Word(rest[-1]))
    elif name == "read" and rest:
        follow_file(database, Word(rest[0]), lambda base, text: _dot_text(base, text, path))
    elif name not in _DOT_HARMLESS:
        invocation.opaque(f"is given .{name}, which cannot be read beforehand")
