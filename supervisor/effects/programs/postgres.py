"""PostgreSQL's clients: psql with its own commands, and the tools beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.database import Database, follow_file, given_texts, read_input
from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_PSQL_HARMLESS = re.compile(
    r"d[a-zA-Z]*\+?|l\+?|z|timing|x|a|t|H|h|\?|conninfo|encoding|q|echo|qecho|warn|pset|set|unset|"
    r"r|p|sf\+?|sv\+?|if|elif|else|endif|errverbose|watch|gx?|gdesc|crosstabview|f|C|T|copyright|;"
)
_PSQL_OUTPUTS = names("o out w write s")
_COPY = re.compile(
    r"\s*(?P<what>\(.*\)|[^\s(]+(?:\s*\([^)]*\))?)\s+(?P<way>from|to)\s+"
    r"(?:program\s+'(?P<program>[^']*)'|'(?P<quoted>[^']*)'|(?P<plain>\S+))",
    re.IGNORECASE | re.DOTALL,
)


def _postgres(invocation: Invocation, given: Given, *, operand: bool = True) -> Database:
    """Where `-h`, `-d`, an operand or PGHOST say that the database is."""
    database = Database(invocation, "postgres")
    host = given.value("-h")
    named = given.value("-d") or (given.operands[0] if operand and given.operands else None)
    if named is not None and not database.url(named) and "=" in named.text:
        pairs: dict[str, str] = dict(re.findall(r"(\w+)\s*=\s*('[^']*'|\S*)", named.text))
        host = host or Word(pairs.get("host", pairs.get("hostaddr", "")).strip("'"))
        for key in ("service", "passfile", "sslkey"):
            if key in pairs:
                invocation.opaque(f"takes {key} from elsewhere")
    if host is None and not database.remote:
        host = Word(invocation.where.variables.get("PGHOST", ""))
    database.at(host, given.value("-p"), named.text if named is not None and named.exact else "")
    return database


@reader
def psql(invocation: Invocation, words: Sequence[Word]) -> None:
    """SQL from -c, -f or the input, with psql's own commands in between."""
    given = described(invocation, words)
    database = _postgres(invocation, given)
    output = given.value("-o")
    if output is not None:
        _psql_output(invocation, output)
    if given.has("-l", "--list"):
        return
    if not given_texts(database, given, _psql_text, "-c", "-f"):
        read_input(database, _psql_text)


def _psql_output(invocation: Invocation, word: Word) -> None:
    text = word.text.strip()
    if text.startswith("|"):
        invocation.script(Word(text[1:], word.exact))
    elif text:
        invocation.write(Word(text.strip("'"), word.exact))


def _psql_text(database: Database, text: str) -> None:
    """SQL with commands that begin with a backslash, to the end of their line."""
    sql = []
    for line in text.splitlines():
        bare = re.sub(r"'(?:[^'\\]|\\.)*'|\"[^\"]*\"|\$\$.*?\$\$", lambda m: "x" * len(m[0]), line)
        start = bare.find("\\")
        if start < 0:
            sql.append(line)
            continue
        if start and not line.lstrip().startswith("\\"):
            sql.append(line[:start] + ";")
        for command in re.split(r"\s\\(?=[a-zA-Z])", line[start + 1 :]):
            _psql_command(database, command)
    database.sql("\n".join(sql))


def _psql_command(database: Database, command: str) -> None:
    invocation = database.invocation
    match = re.match(r"(!|[a-zA-Z]+\+?|\S)\s*(.*)", command, re.DOTALL)
    name, rest = (match[1], match[2].strip()) if match else ("", "")
    if name == "!":
        invocation.script(Word(rest))
    elif "`" in rest:
        database.unread("runs programs in backticks")
    elif name == "copy":
        _psql_copy(database, rest)
    elif name in {"i", "ir", "include", "include_relative"}:
        follow_file(database, Word(rest.strip("'")), _psql_text)
    elif name in _PSQL_OUTPUTS or (name in {"g", "gx"} and rest and not rest.startswith("(")):
        _psql_output(invocation, Word(rest))
    elif not _PSQL_HARMLESS.fullmatch(name):
        database.unread(f"is given \\{name}, which cannot be read beforehand")


def _psql_copy(database: Database, rest: str) -> None:
    match = _COPY.match(rest)
    if match is None:
        database.unread("copies what cannot be read")
        return
    invocation = database.invocation
    path = match["quoted"] or match["plain"] or ""
    if match["program"] is not None:
        invocation.script(Word(match["program"]))
    elif path.lower() not in {"stdin", "stdout", "pstdin", "pstdout"}:
        apply(invocation, "read" if match["way"].lower() == "from" else "write", Word(path))
    if match["what"].startswith("("):
        database.sql(match["what"][1:-1])
    database.statement("copy", re.sub(r"\s*\(.*", "", match["what"], flags=re.DOTALL).lower())


_POSTGRES_KINDS = {
    "createdb": "ddl", "createuser": "grant", "dropdb": "drop", "dropuser": "drop",
    "pg_dump": "select", "pg_dumpall": "select", "pg_amcheck": "select",
}  # fmt: skip


@reader
def postgres_tool(invocation: Invocation, words: Sequence[Word]) -> None:
    """PostgreSQL's other clients, each of which does one kind of thing."""
    given = described(invocation, words)
    program = invocation.program
    restores = program == "pg_restore"
    database = _postgres(invocation, given, operand=program in {"pg_dump", "pg_dumpall"})
    if restores:
        for word in given.operands:
            invocation.read(word)
        if not given.has("-d", "--dbname"):
            return
    database.statement(_POSTGRES_KINDS.get(program, "other"))
