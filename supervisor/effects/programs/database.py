"""The database that a client speaks to: where it is, and the statements it is given."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.roles import resolve
from supervisor.effects.programs.shapes import sql_effect
from supervisor.effects.reading import Word

_HERE = re.compile(r"|localhost|127(?:\.\d+){3}|\[?::1\]?|/.*|@.*|\.", re.DOTALL)
_MAX_FILES = 16  # that are followed for one command
_MAX_FILE = 65_536  # bytes of a file of SQL that is followed


@dataclass(slots=True)
class Database:
    """The database that a command speaks to."""

    invocation: Invocation
    dialect: str
    name: str = ""  # "" for a local one
    remote: bool = False
    followed: int = 0  # files of statements so far

    def at(self, host: Word | None, port: Word | None = None, name: str = "") -> None:
        """It is on `host`; a socket or this machine's own name is local."""
        if host is None or (host.exact and _HERE.fullmatch(host.text)):
            return
        self.remote = True
        self.name = f"{host.text}/{name}".rstrip("/")
        number = port.text if port is not None and port.exact and port.text.isdigit() else ""
        for each in host.text.split(","):
            self.invocation.host(Word(each, host.exact), number)

    def url(self, word: Word) -> bool:
        """Whether `word` is an address such as `postgres://user@host/name`; then it is there."""
        if not word.exact and "/" not in word.text:
            # A name, or an address: where it leads is what cannot be told.
            self.remote = True
            self.invocation.opaque("speaks to a database that is only known when it runs")
        if not re.match(r"[a-z][a-z0-9+.-]*://", word.text, re.IGNORECASE):
            return False
        try:
            parts = urlsplit(word.text)
            host, port = unquote(parts.hostname or ""), str(parts.port or "")
            query = dict(parse_qsl(parts.query))
        except ValueError:
            host, port, query = "", "", {}
            self.invocation.opaque("is given an address that cannot be read")
        host = query.get("host", query.get("hostaddr", host))
        if not word.exact and not host:
            self.invocation.opaque("speaks to a database that is only known when it runs")
        self.at(Word(host), Word(port), parts.path.strip("/") if host else "")
        for key in ("sslkey", "sslcert", "sslrootcert", "passfile"):
            if key in query:
                self.invocation.read(Word(query[key]))
        return True

    def given(self, address: Word) -> None:
        """A variable says where it is: by its address, or by the name of the host."""
        text = address.text.removeprefix("jdbc:")
        named = dict(re.findall(r"(\w+)\s*=\s*'?([^'\s]*)", text)).get("host", "")
        if not self.url(Word(text, address.exact)) and "://" not in text:
            self.at(Word(named if "=" in text else text, address.exact))

    def sql(self, text: str) -> None:
        """Statements of SQL, of which each is an effect."""
        from supervisor.effects.sql import sql_effects

        if not text.strip():
            return
        effects, why = sql_effects(text, self.name, remote=self.remote, dialect=self.dialect)
        self.invocation.add(*effects)
        if why:
            self.invocation.opaque(why)

    def statement(self, kind: str, tables: str = "") -> None:
        self.invocation.add(sql_effect(self.name, kind, tables, remote=self.remote))

    def unread(self, why: str) -> None:
        self.statement("other")
        self.invocation.opaque(why)


def read_input(database: Database, read: Callable[[Database, str], None]) -> None:
    """What comes in is read as `read` does; without any, a person would type."""
    where = database.invocation.where
    if where.stdin == "text":
        read(database, where.stdin_text)
    elif where.stdin:
        database.unread("does what it is told on its input")
    else:
        database.invocation.act = database.invocation.act or "interactive"


def follow_file(database: Database, word: Word, read: Callable[[Database, str], None]) -> None:
    """A file of statements: its text is read where it is short and there."""
    invocation = database.invocation
    if word.text in {"-", "/dev/stdin"}:
        read_input(database, read)
        return
    database.followed += 1
    if database.followed > _MAX_FILES:
        database.unread("does what too many files say")
        return
    if invocation.where.elsewhere or not invocation.read(word) or word.glob:
        database.unread("does what a file says that cannot be read")
        return
    path = resolve(word.text, invocation.where.cwd or "/")
    try:
        if not os.path.isfile(path):  # a pipe would keep us waiting
            raise OSError
        with open(path, "rb") as file:
            content = file.read(_MAX_FILE + 1)
        text = content.decode()
    except (OSError, ValueError):
        database.unread("does what a file says that cannot be read")
        return
    if len(content) > _MAX_FILE:
        database.unread("does what a long file says")
        return
    read(database, text)


def given_texts(
    database: Database,
    given: Given,
    read: Callable[[Database, str], None],
    text_option: str,
    file_option: str,
) -> bool:
    """Statements given by options, in order; False when there were none."""
    found = False
    for option, value in given.options:
        if value is None:
            continue
        if text_option in option.names:
            found = True
            if value.exact:
                read(database, value.text)
            else:
                database.unread("is given SQL that is only known when it runs")
        elif file_option and file_option in option.names:
            found = True
            follow_file(database, value, read)
    return found
