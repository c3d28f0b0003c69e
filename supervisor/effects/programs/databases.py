"""Clients of databases: where the database is, what SQL it is given, and their own commands."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from supervisor.effects.programs.described import described, take
from supervisor.effects.programs.generic import apply, apply_options, resolve
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.programs.shapes import sql_effect
from supervisor.effects.reading import Word

_HERE = re.compile(r"|localhost|127(?:\.\d+){3}|\[?::1\]?|/.*|@.*|\.", re.DOTALL)
_MAX_FILES = 16  # that are followed for one command
_MAX_FILE = 65_536  # bytes of a file of SQL that is followed


@dataclass(slots=True)
class _Database:
    """The database that a command speaks to."""

    invocation: Invocation
    dialect: str
    name: str = ""  # "" for a local one
    remote: bool = False
    followed: int = 0  # files of statements so far

    def at(self, host: Word | None, port: Word | None = None, name: str = "") -> None:
        """It is on `host`; a socket or this machine's own name is local."""
        if host is None or (host.exact and _HERE.fullmatch(host.text)):
            return
        self.remote = True
        self.name = f"{host.text}/{name}".rstrip("/")
        number = port.text if port is not None and port.exact and port.text.isdigit() else ""
        for each in host.text.split(","):
            self.invocation.host(Word(each, host.exact), number)

    def url(self, word: Word) -> bool:
        """Whether `word` is an address such as `postgres://user@host/name`; then it is there."""
        if not word.exact and "/" not in word.text:
            # A name, or an address: where it leads is what cannot be told.
            self.remote = True
            self.invocation.opaque("speaks to a database that is only known when it runs")
        if not re.match(r"[a-z][a-z0-9+.-]*://", word.text, re.IGNORECASE):
            return False
        try:
            parts = urlsplit(word.text)
            host, port = unquote(parts.hostname or ""), str(parts.port or "")
            query = dict(parse_qsl(parts.query))
        except ValueError:
            host, port, query = "", "", {}
            self.invocation.opaque("is given an address that cannot be read")
        host = query.get("host", query.get("hostaddr", host))
        if not word.exact and not host:
            self.invocation.opaque("speaks to a database that is only known when it runs")
        self.at(Word(host), Word(port), parts.path.strip("/") if host else "")
        for key in ("sslkey", "sslcert", "sslrootcert", "passfile"):
            if key in query:
                self.invocation.read(Word(query[key]))
        return True

    def sql(self, text: str) -> None:
        """Statements of SQL, of which each is an effect."""
        from supervisor.effects.sql import sql_effects

        if not text.strip():
            return
        effects, why = sql_effects(text, self.name, remote=self.remote, dialect=self.dialect)
        self.invocation.add(*effects)
        if why:
            self.invocation.opaque(why)

    def statement(self, kind: str, tables: str = "") -> None:
        self.invocation.add(sql_effect(self.name, kind, tables, remote=self.remote))

    def unread(self, why: str) -> None:
        self.statement("other")
        self.invocation.opaque(why)


def _input(database: _Database, read: Callable[[_Database, str], None]) -> None:
    """What comes in is read as `read` does; without any, a person would type."""
    where = database.invocation.where
    if where.stdin == "text":
        read(database, where.stdin_text)
    elif where.stdin:
        database.unread("does what it is told on its input")
    else:
        database.invocation.act = database.invocation.act or "interactive"


def _follow(database: _Database, word: Word, read: Callable[[_Database, str], None]) -> None:
    """A file of statements: its text is read where it is short and there."""
    invocation = database.invocation
    if word.text in {"-", "/dev/stdin"}:
        _input(database, read)
        return
    database.followed += 1
    if database.followed > _MAX_FILES:
        database.unread("does what too many files say")
        return
    if invocation.where.elsewhere or not invocation.read(word) or word.glob:
        database.unread("does what a file says that cannot be read")
        return
    path = resolve(word.text, invocation.where.cwd or "/")
    try:
        if not os.path.isfile(path):  # a pipe would keep us waiting
            raise OSError
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE + 1)
        text = content.decode()
    except (OSError, ValueError):
        database.unread("does what a file says that cannot be read")
        return
    if len(content) > _MAX_FILE:
        database.unread("does what a long file says")
        return
    read(database, text)


def _texts(
    database: _Database,
    given: Given,
    read: Callable[[_Database, str], None],
    text_option: str,
    file_option: str,
) -> bool:
    """Statements given by options, in order; False when there were none."""
    found = False
    for option, value in given.options:
        if value is None:
            continue
        if text_option in option.names:
            found = True
            if value.exact:
                read(database, value.text)
            else:
                database.unread("is given SQL that is only known when it runs")
        elif file_option and file_option in option.names:
            found = True
            _follow(database, value, read)
    return found


# ── PostgreSQL ──────────────────────────────────────────────────────────────────────────

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


def _postgres(invocation: Invocation, given: Given, *, operand: bool = True) -> _Database:
    """Where `-h`, `-d`, an operand or PGHOST say that the database is."""
    database = _Database(invocation, "postgres")
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
    if not _texts(database, given, _psql_text, "-c", "-f"):
        _input(database, _psql_text)


def _psql_output(invocation: Invocation, word: Word) -> None:
    text = word.text.strip()
    if text.startswith("|"):
        invocation.script(Word(text[1:], word.exact))
    elif text:
        invocation.write(Word(text.strip("'"), word.exact))


def _psql_text(database: _Database, text: str) -> None:
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


def _psql_command(database: _Database, command: str) -> None:
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
        _follow(database, Word(rest.strip("'")), _psql_text)
    elif name in _PSQL_OUTPUTS or (name in {"g", "gx"} and rest and not rest.startswith("(")):
        _psql_output(invocation, Word(rest))
    elif not _PSQL_HARMLESS.fullmatch(name):
        database.unread(f"is given \\{name}, which cannot be read beforehand")


def _psql_copy(database: _Database, rest: str) -> None:
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


# ── MySQL ───────────────────────────────────────────────────────────────────────────────

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


def _mysql_at(invocation: Invocation, given: Given) -> _Database:
    database = _Database(invocation, "mysql")
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
    if not _texts(database, given, _mysql_text, "-e", ""):
        _input(database, _mysql_text)


def _mysql_text(database: _Database, text: str) -> None:
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


def _mysql_command(database: _Database, name: str, rest: str) -> None:
    match name.lower():
        case "system":
            database.invocation.script(Word(rest))
        case "source":
            _follow(database, Word(rest), _mysql_text)
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


# ── SQLite and DuckDB ───────────────────────────────────────────────────────────────────

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
    database = _Database(invocation, "duckdb" if duck else "sqlite")
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
            _follow(database, value, lambda base, text: _dot_text(base, text, path))
    for word in operands:
        _dot_texts(database, word, path)
    if not operands and not found:
        _input(database, lambda base, text: _dot_text(base, text, path))
    changes = any(
        effect.attributes.get("statement", "select") != "select"
        for effect in invocation.reading.effects[start:]
    )
    if changes and not in_memory:
        invocation.write(path)


def _dot_texts(database: _Database, word: Word, path: Word) -> None:
    if word.exact:
        _dot_text(database, word.text, path)
    else:
        database.unread("is given SQL that is only known when it runs")


def _dot_text(database: _Database, text: str, path: Word) -> None:
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


def _duck_files(database: _Database, text: str) -> str:
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


def _dot_command(database: _Database, line: str, path: Word) -> None:
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
        _follow(database, Word(rest[0]), lambda base, text: _dot_text(base, text, path))
    elif name not in _DOT_HARMLESS:
        invocation.opaque(f"is given .{name}, which cannot be read beforehand")


# ── Redis ───────────────────────────────────────────────────────────────────────────────

_REDIS_READS = names(
    "get mget exists ttl pttl type keys scan hget hmget hgetall hkeys hvals hlen hexists "
    "hscan lrange llen lindex smembers scard sismember sscan zrange zrangebyscore zrevrange "
    "zcard zscore zcount zscan strlen getrange bitcount getbit dbsize ping echo info time "
    "lastsave memory object randomkey dump xrange xrevrange xlen xinfo pfcount geopos geodist "
    "role command latency slowlog client hello auth select help json.get ft.search ft.info"
)
_REDIS_DROPS = names("flushall flushdb")
_REDIS_DELETES = names("del unlink hdel lrem srem zrem ltrim lpop rpop spop zpopmin zpopmax xdel")
_REDIS_REACHES = names(
    "eval evalsha eval_ro evalsha_ro fcall function script module debug slaveof replicaof migrate "
    "save bgsave bgrewriteaof shutdown acl cluster failover config restore sync psync monitor "
    "swapdb latency sentinel"
)


@reader
def redis(invocation: Invocation, words: Sequence[Word]) -> None:
    """One command, or one on each line of the input."""
    given = _leading(invocation, words)
    database = _Database(invocation, "")
    address = given.value("-u")
    if address is not None:
        database.url(address)
    database.at(given.value("-h"), given.value("-p"))
    if given.has("--rdb", "--scan", "--bigkeys", "--memkeys", "--hotkeys", "--stat", "--latency"):
        database.statement("select")
    elif given.has("--eval"):
        database.unread("runs a script over there")
    elif given.operands:
        _redis_command(database, given.operands)
    elif not given.has("--help", "--version", "--intrinsic-latency"):
        _input(database, _redis_text)


def _leading(invocation: Invocation, words: Sequence[Word]) -> Given:
    """Options end where the command begins."""
    given = take(invocation, words, stop=True)
    apply_options(invocation, given)
    given.operands = list(words[given.next :])
    return given


def _redis_text(database: _Database, text: str) -> None:
    for line in text.splitlines():
        if line.strip():
            _redis_command(database, [Word(part) for part in line.split()])


def _redis_command(database: _Database, words: Sequence[Word]) -> None:
    name = words[0].text.lower()
    second = words[1].text.lower() if len(words) > 1 else ""
    if not words[0].exact:
        database.unread("is given a command that is only known when it runs")
    elif name == "config" and second == "get":
        database.statement("select")
    elif name in _REDIS_REACHES:
        database.unread(f"is given {name}, which reaches past its keys")
    elif name in _REDIS_DROPS:
        database.statement("drop")
    elif name in _REDIS_DELETES:
        database.statement("delete")
    else:
        database.statement("select" if name in _REDIS_READS else "update")


# ── MongoDB, ClickHouse, migrations ─────────────────────────────────────────────────────

_MONGO_READ = re.compile(
    r"\s*(?:show\s+\w+|rs\.status\(\)|db\.(?:stats|getCollectionNames|version|serverStatus)\(\)|"
    r"db\.(?:getCollection\(['\"][\w.-]+['\"]\)|[\w.]+)\.(?:find|findOne|countDocuments|count|"
    r"estimatedDocumentCount|distinct|getIndexes|stats)\([^()]*\)"
    r"(?:\.(?:limit|skip|sort|pretty|toArray|count|size|hasNext|next)\([^()]*\))*)\s*;?\s*"
)


@reader
def mongosh(invocation: Invocation, words: Sequence[Word]) -> None:
    """JavaScript from --eval, a file or the input: plain queries are known, all else is not."""
    given = described(invocation, words)
    database = _mongo_at(invocation, given)
    if not _texts(database, given, _mongo_text, "--eval", ""):
        if given.has("-f", "--file") or len(given.operands) > 1:
            database.unread("runs a script")
            for word in given.operands[1:]:
                invocation.read(word)
        else:
            _input(database, _mongo_text)


def _mongo_at(invocation: Invocation, given: Given) -> _Database:
    database = _Database(invocation, "")
    for word in (given.value("--uri"), *given.operands[:1]):
        if word is not None:
            database.url(word)
    database.at(given.value("--host"), given.value("--port"))
    return database


def _mongo_text(database: _Database, text: str) -> None:
    reads = _MONGO_READ.fullmatch(text) and not re.search(r"\$(?:where|function|accumulator)", text)
    if reads:
        database.statement("select")
    else:
        database.unread("is given JavaScript")


@reader
def mongo_tool(invocation: Invocation, words: Sequence[Word]) -> None:
    """Dumps and exports read; restores and imports insert."""
    given = described(invocation, words)
    restores = invocation.table.program in {"mongorestore", "mongoimport"}
    database = _mongo_at(invocation, Given(options=given.options))
    for word in given.operands:
        if not database.url(word):
            invocation.read(word)
    database.statement("insert" if restores else "select")


@reader
def clickhouse(invocation: Invocation, words: Sequence[Word]) -> None:
    """SQL from --query, a file or the input."""
    given = described(invocation, words)
    database = _Database(invocation, "clickhouse")
    database.at(given.value("-h"), given.value("--port"))
    read: Callable[[_Database, str], None] = _Database.sql
    if not _texts(database, given, read, "-q", "--queries-file"):
        _input(database, read)


_DROPPING = re.compile(r"drop|clean|reset|wipe|nuke|truncate|drop-all")
_LOOKING = re.compile(r"info|status|version|validate|history|list|show|check|diff|help|lint|print")


@reader
def migrations(invocation: Invocation, words: Sequence[Word]) -> None:
    """Migrations of a schema: the address of the database may be among the words."""
    database = _Database(invocation, "")
    kind = "ddl"
    for word in words:
        text = word.text
        option, equals, value = text.partition("=")
        if option.startswith("-") and equals:
            text = value
        database.url(Word(text, word.exact))
        if not text.startswith("-") and word.exact:
            if _DROPPING.fullmatch(text):
                kind = "drop"
            elif _LOOKING.fullmatch(text) and kind == "ddl":
                kind = "select"
    if words:
        database.statement(kind)
