"""Migrations of a schema, whatever they are written in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.database import Database
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.live import database_addresses
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word

_DROPPING = re.compile(r"drop|clean|reset|wipe|nuke|truncate|drop-all")
_LOOKING = re.compile(r"info|status|version|validate|history|list|show|check|diff|help|lint|print")


@reader
def migrations(invocation: Invocation, words: Sequence[Word]) -> None:
    """Migrations of a schema: the address of the database may be among the words."""
    database = Database(invocation, "")
    kind = "ddl"
    for word in words:
        text = word.text
        option, equals, value = text.partition("=")
        if option.startswith("-") and equals:
            text = value
        database.url(Word(text, word.exact))
        if not text.startswith("-") and word.exact:
            if _DROPPING.fullmatch(text):
                kind = "drop"
            elif _LOOKING.fullmatch(text) and kind == "ddl":
                kind = "select"
    for address in database_addresses(invocation.where) if words else ():
        database.given(address)
    if words:
        database.statement(kind)
