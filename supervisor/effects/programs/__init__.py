"""What programs do: from the words of one simple command to its effects.

`generic` interprets the tables of `supervisor.effects.knowledge`; readers in the other modules
read what tables cannot say. A reader is a function registered with `@reader` and named by a
table (`reader = "git_push"`); modules of this package are found by themselves.
"""

from supervisor.effects.knowledge import knowledge
from supervisor.effects.programs.generic import read_program
from supervisor.effects.programs.registry import load_readers, reader

__all__ = ["read_program", "reader", "warm"]


def warm() -> None:
    """Load what the first commands would otherwise wait for: tables, readers, the SQL parser.

    Takes some hundreds of milliseconds; a daemon calls it once while it starts.
    """
    from supervisor.effects.sql import sql_effects

    knowledge()
    load_readers()
    for dialect in ("", "postgres", "mysql", "sqlite", "duckdb", "clickhouse"):
        sql_effects("select 1", dialect=dialect)
