"""MongoDB's shell and tools."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.database import Database, given_texts, read_input
from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word

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
    if not given_texts(database, given, _mongo_text, "--eval", ""):
        if given.has("-f", "--file") or len(given.operands) > 1:
            database.unread("runs a script")
            for word in given.operands[1:]:
                invocation.read(word)
        else:
            read_input(database, _mongo_text)


def _mongo_at(invocation: Invocation, given: Given) -> Database:
    database = Database(invocation, "")
    for word in (given.value("--uri"), *given.operands[:1]):
        if word is not None:
            database.url(word)
    database.at(given.value("--host"), given.value("--port"))
    return database


def _mongo_text(database: Database, text: str) -> None:
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
