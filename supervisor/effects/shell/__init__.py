"""What a shell command would do, read conservatively.

A plain reading: words, operators, redirections, wrappers, nested scripts and `cd` are
followed; everything else runs as `uninspectable`. More effects are only ever stricter, so
where two readings are possible both are given.
"""

from supervisor.effects.shell.reader import shell_effects

__all__ = ["shell_effects"]
