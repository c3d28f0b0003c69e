"""ClickHouse's client."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from supervisor.effects.programs.database import Database, given_texts, read_input
from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word


@reader
def clickhouse(invocation: Invocation, words: Sequence[Word]) -> None:
    """SQL from --query, a file or the input."""
    given = described(invocation, words)
    database = Database(invocation, "clickhouse")
    database.at(given.value("-h"), given.value("--port"))
    read: Callable[[Database, str], None] = Database.sql
    if not given_texts(database, given, read, "-q", "--queries-file"):
        read_input(database, read)
