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
    """Load what the first commands would otherwise wait for: tables and readers.

    Takes tens of milliseconds; a daemon calls it once while it starts.
    """
    knowledge()
    load_readers()
