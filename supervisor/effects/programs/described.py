"""What a table says of a command whose reader adds the rest."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.programs.generic import apply_effects, apply_given, apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given, split
from supervisor.effects.reading import Word


def take(invocation: Invocation, words: Sequence[Word], *, stop: bool = False) -> Given:
    """Options and operands by the invocation's table, what is unknown said as a reason.

    With `stop` the first operand ends it, and `next` tells where that is.
    """
    given = split(words, 0, invocation.table, stop=stop)
    for problem in given.problems:
        invocation.unknown(problem)
    return given


def described(invocation: Invocation, words: Sequence[Word], *but: str) -> Given:
    """Options and operands of `words`, after the effects that the table tells by itself.

    These are the roles of options, also of those before the subcommand, except of the options
    `but`; and the effects that it always has. Operands are left to the reader.
    """
    apply_options(invocation, invocation.given, *but)
    given = take(invocation, words)
    apply_options(invocation, given, *but)
    apply_effects(invocation)
    return given


def all_given(invocation: Invocation, words: Sequence[Word]) -> Given:
    """All that was given, before the subcommand as well, with the effects of the options."""
    given = invocation.given
    own = take(invocation, words)
    given.options += own.options
    given.operands = own.operands
    apply_given(invocation, Given(given.options))
    return given
