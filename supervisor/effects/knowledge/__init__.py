"""Knowledge of programs as data; README.md beside this file says how it is written."""

from __future__ import annotations

from functools import cache

from supervisor.effects.knowledge.index import Knowledge
from supervisor.effects.knowledge.tables import KnowledgeError, Operand, Option, Table, variant

__all__ = ["Knowledge", "KnowledgeError", "Operand", "Option", "Table", "knowledge", "variant"]


@cache
def knowledge() -> Knowledge:
    """The knowledge that is shipped with the supervisor, read once."""
    return Knowledge.load()
