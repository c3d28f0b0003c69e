"""What a table says of a command whose reader adds the rest."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.programs.core import take, values
from supervisor.effects.programs.generic import _written
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.reading import Word


def described(invocation: Invocation, words: Sequence[Word], *but: str) -> Given:
    """Options and operands of `words`, after the effects that the table tells by itself.

    These are the roles of options, also of those before the subcommand, except of the options
    `but`; and the effects that it always has. Operands are left to the reader.
    """
    values(invocation, invocation.given, *but)
    given = take(invocation, words)
    values(invocation, given, *but)
    for effect in invocation.table.effects:
        _written(invocation, effect)
    return given
