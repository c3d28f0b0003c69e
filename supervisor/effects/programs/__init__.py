"""What programs do: from the words of one simple command to its effects.

`generic` interprets the tables of `supervisor.effects.knowledge`; readers in the other modules
read what tables cannot say. A reader is a function registered with `@reader` and named by a
table (`reader = "git_push"`); modules of this package are found by themselves.
"""

from supervisor.effects.programs.generic import read_program
from supervisor.effects.programs.registry import reader

__all__ = ["read_program", "reader"]
