"""SQL text as effects: what each statement does, and to which tables."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from supervisor.effects.programs.shapes import sql_effect
from supervisor.model import Effect

if TYPE_CHECKING:
    from sqlglot import exp

_MAX_TEXT = 65_536
_NOTHING = re.compile(
    r"\s*(?:begin|start\s+transaction|commit|rollback|end|abort|savepoint\s+\w+|"
    r"release\s+(?:savepoint\s+)?\w+)(?:\s+(?:transaction|work))?\s*",
    re.IGNORECASE,
)
_LOOKS = re.compile(r"\s*(?:show|describe|desc|help|use\s+[\w.`\"]+)\b", re.IGNORECASE)
_EXPLAIN = re.compile(
    r"\s*explain\s+(?:query\s+plan\s+|(analy[sz]e)\s+|\(([^)]*)\)\s*|extended\s+|verbose\s+)*",
    re.IGNORECASE,
)
_PRAGMA = re.compile(r"\s*pragma\s+[\w.]+(?:\s*\(\s*[\w'\".]*\s*\))?\s*", re.IGNORECASE)
# Functions that reach files, programs, other servers or other sessions.
_REACHING = re.compile(
    r"\b(?:pg_read_\w+|pg_ls_\w+|pg_file_\w+|pg_write_\w*|pg_terminate_backend|pg_cancel_backend|"
    r"pg_reload_conf|pg_rotate_logfile|lo_\w+|dblink\w*|load_file|load_extension|readfile|writefile|"
    r"fsdir|edit|fts3_tokenizer|sys_exec|sys_eval|xp_\w+|sp_\w+|openrowset|opendatasource|"
    r"query_to_xml\w*|read_csv\w*|read_parquet|read_json\w*|read_text|read_blob|glob|httpfs|"
    r"set_config|getenv|url|file|s3|remote|mysql|postgresql|jdbc|"
    r"executable|utl_\w+|dbms_\w+)\s*\(",
    re.IGNORECASE,
)
_OUT = re.compile(r"\b(?:into\s+(?:out|dump)file|to\s+program|from\s+program)\b", re.IGNORECASE)


def warm() -> None:
    """Load the parser and its dialects, for which the first statement would otherwise wait.

    Takes about a tenth of a second.
    """
    for dialect in ("", "postgres", "mysql", "sqlite", "duckdb", "clickhouse"):
        sql_effects("select 1", dialect=dialect)


def sql_effects(
    text: str, database: str = "", *, remote: bool = False, dialect: str = ""
) -> tuple[list[Effect], str]:
    """One effect for each statement of `text`, and why it cannot be read wholly ("" if it can).

    Args:
        text: statements separated by `;`.
        database: the resource of the effects, "" for a local or unknown one.
        remote: whether it is on another machine.
        dialect: as sqlglot names it ("postgres", "mysql", "sqlite", "duckdb" …).

    The attribute `statement` is "select", "insert", "update", "delete", "ddl", "drop", "grant",
    "copy" or "other"; `tables` are their names, lower case, sorted, joined by commas.
    """
    if len(text) > _MAX_TEXT:
        return [sql_effect(database, "other", "", remote=remote)], "is given too much SQL"
    found: list[Effect] = []
    why = ""
    for statement, tables, reason in _statements(text, dialect):
        why = why or reason
        found.append(sql_effect(database, statement, ",".join(tables), remote=remote))
    return found, why


def _statements(text: str, dialect: str) -> Iterator[tuple[str, list[str], str]]:
    """Kind, tables and, if it cannot be read, the reason, of each statement."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # what it cannot read is ours to tell
    try:
        pieces = _pieces(text, dialect)
    except (SqlglotError, RecursionError, ValueError):
        yield "other", [], "is given SQL that cannot be read"
        return
    for piece in pieces:
        if _NOTHING.fullmatch(piece):
            continue
        if _LOOKS.match(piece) or _PRAGMA.fullmatch(piece):
            yield "select", [], ""
            continue
        explained = _EXPLAIN.match(piece)
        body = piece[explained.end() :] if explained else piece
        try:
            trees = sqlglot.parse(body, read=dialect or None)
        except (SqlglotError, RecursionError, ValueError):
            trees = []
        if len(trees) != 1 or trees[0] is None:
            yield "other", [], "is given SQL that cannot be read"
            continue
        kind, tables = _kind(trees[0]), _tables(trees[0])
        runs = explained is not None and re.search("analy[sz]e", explained[0], re.IGNORECASE)
        if explained and not runs and kind in {"select", "insert", "update", "delete"}:
            kind = "select"
        if kind == "other" or _REACHING.search(piece) or _OUT.search(piece):
            yield "other", tables, "is given SQL that reaches beyond its tables"
            continue
        yield kind, tables, ""


def _pieces(text: str, dialect: str) -> list[str]:
    """The statements of `text`, split at the semicolons that the dialect's tokens are."""
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.tokenizer_core import TokenType

    pieces: list[str] = []
    start = 0
    last = 0
    for token in Dialect.get_or_raise(dialect or None).tokenize(text):
        if token.token_type == TokenType.SEMICOLON:
            if last > start:
                pieces.append(text[start : token.start])
            start = token.end + 1
        last = token.end + 1
    if last > start:
        pieces.append(text[start:])
    return pieces


def _kind(tree: exp.Expr) -> str:
    """The strictest thing that a statement does, also in its common table expressions."""
    from sqlglot import exp

    kinds: tuple[tuple[str, tuple[type[exp.Expr], ...]], ...] = (
        ("other", (exp.Command,)),
        ("drop", (exp.Drop, exp.TruncateTable)),
        ("grant", (exp.Grant, exp.Revoke)),
        ("copy", (exp.Copy,)),
        ("ddl", (exp.Create, exp.Alter, exp.Comment, exp.Into)),
        ("delete", (exp.Delete,)),
        ("update", (exp.Update, exp.Merge)),
        ("insert", (exp.Insert,)),
    )
    for name, types in kinds:
        if tree.find(*types) is not None:
            return name
    return "select" if isinstance(tree, (exp.Query, exp.Values)) else "other"


def _tables(tree: exp.Expr) -> list[str]:
    from sqlglot import exp

    made = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    names = set()
    for table in tree.find_all(exp.Table):
        parts = [part.name for part in table.parts]
        name = ".".join(parts).lower()
        if name and name not in made:
            names.add(name)
    return sorted(names)
