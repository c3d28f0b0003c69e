"""Where each table stands in the files, so that only the tables that are asked for are parsed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from supervisor.effects.knowledge.tables import KnowledgeError, Table, build

_HEADER = re.compile(
    r'^\[(?:"([^"\n]+)"|([A-Za-z0-9_-]+))((?:\.[^\n]+)?)\][ \t]*(?:#[^\n]*)?$', re.MULTILINE
)
_ALSO = re.compile(r"^also\s*=\s*\[([^\]]*)\]", re.MULTILINE)
_EXAMPLES = re.compile(r"^examples = \[\n.*?^\]$", re.MULTILINE | re.DOTALL)
_STRING = re.compile(r'"([^"\n]+)"')
_MAX_LIKE = 4  # tables that lean on each other

FOLDER = Path(__file__).parent

Key = tuple[str, ...]


class Knowledge:
    """All tables, by the words of their keys. Parsing is done at first use and kept."""

    def __init__(self, sources: Iterable[tuple[str, str]]) -> None:
        """`sources`: name and text of each file."""
        self.faults: list[str] = []  # keys that two tables have
        self._pieces: dict[Key, list[tuple[str, str]]] = {}
        self._alias: dict[Key, Key] = {}
        self._given: set[Key] = set()  # of the pieces, those that no file holds
        self._groups: dict[Key, str] = {}
        self._children: dict[Key, set[str]] = {}
        self._tables: dict[Key, Table] = {}
        for file, text in sources:
            self._read(file, text)
        self._give_own_subcommands()
        for alias, key in self._alias.items():
            if alias in self._pieces:
                self.faults.append(f"{' '.join(alias)!r} is a table and also {' '.join(key)!r}")
        for key in (*self._pieces, *self._alias):
            for length in range(1, len(key)):  # `gh pr view` alone makes `gh pr` a group
                if key[:length] not in self._pieces and key[:length] not in self._alias:
                    self._groups[key[:length]] = self._pieces[self._alias.get(key, key)][0][0]
        for key in (*self._pieces, *self._alias, *self._groups):
            if len(key) > 1:
                self._children.setdefault(key[:-1], set()).add(key[-1])

    @classmethod
    def load(cls) -> Knowledge:
        """The knowledge beside this file."""
        return cls((file.name, file.read_text("utf-8")) for file in sorted(FOLDER.glob("*.toml")))

    def _give_own_subcommands(self) -> None:
        """Another name with subcommands of its own is a table of its own, like the one it names."""
        keys = (*self._pieces, *self._alias)
        longer = {key[:length] for key in keys for length in range(1, len(key))}
        for alias in longer & self._alias.keys() - self._pieces.keys():
            key = self._alias.pop(alias)
            if key[: len(alias)] == alias:  # it groups what it names
                continue
            name, other = " ".join(alias), " ".join(key)
            file = self._pieces[key][0][0]
            self._pieces[alias] = [(file, f'["{name}"]\nlike = "{other}"\n')]
            self._given.add(alias)

    def _read(self, file: str, text: str) -> None:
        headers = list(_HEADER.finditer(text))
        for match, following in zip(headers, [*headers[1:], None], strict=True):
            key = tuple((match[1] or match[2]).split())
            body = text[match.start() : following.start() if following else len(text)]
            pieces = self._pieces.setdefault(key, [])
            if not match[3] and any(_HEADER.match(piece)[3] == "" for _, piece in pieces):  # type: ignore[index]
                self.faults.append(f"{file}: {' '.join(key)!r} has a table already")
            pieces.append((file, body))
            for names in _ALSO.finditer(body):
                for name in _STRING.findall(names[1]):
                    alias = tuple(name.split())
                    if self._alias.setdefault(alias, key) != key:
                        self.faults.append(f"{file}: {name!r} has a table already")

    @property
    def keys(self) -> list[Key]:
        """Of all tables, as files write them."""
        return [key for key in self._pieces if key not in self._given]

    @cached_property
    def programs(self) -> frozenset[str]:
        """Names of all programs that are known."""
        return frozenset(key[0] for key in (*self._pieces, *self._alias, *self._groups))

    def table(self, key: Key, *, depth: int = 0) -> Table | None:
        """The table of a program or subcommand, None when there is none.

        Raises:
            KnowledgeError: the table, or one that it leans on, is wrong.
        """
        found = self._tables.get(key)
        if found is not None:
            return found
        found = self._build(key, depth)
        if found is not None:
            self._tables[key] = found
        return found

    def _build(self, key: Key, depth: int) -> Table | None:
        if depth > _MAX_LIKE + 4:
            raise KnowledgeError(f"{' '.join(key)!r} leans on itself")
        own = key if key in self._pieces else self._alias.get(key, key)
        parent = self.table(key[:-1], depth=depth + 1) if len(key) > 1 else None
        if own in self._groups:
            raw: Mapping[str, Any] = {}
            file = self._groups[own]
        elif own in self._pieces:
            raw = self._raw(own)
            file = self._pieces[own][0][0]
        else:
            # `podman ps` is `docker ps` where podman is like docker.
            model = self._like(key[:-1]) if parent is not None else None
            return self.table((*model, key[-1]), depth=depth + 1) if model else None
        like: Table | None = None
        children = set(self._children.get(own, ()))
        model = self._like(key[:-1]) if own in self._groups and parent is not None else None
        if model is not None:
            like = self.table((*model, key[-1]), depth=depth + 1)
            children |= like.subcommands if like else frozenset()
        if "like" in raw:
            target = tuple(str(raw["like"]).split())
            like = self.table(target, depth=depth + 1)
            if like is None:
                raise KnowledgeError(f"{file}: {' '.join(own)!r} is like an unknown table")
            children |= like.subcommands
        return build(own, raw, file, parent=parent, like=like, subcommands=frozenset(children))

    def child(self, table: Table, word: str) -> Table | None:
        """The table of the subcommand `word` of `table`."""
        if word not in table.subcommands:
            return None
        return self.table((*table.key, word))

    def _like(self, key: Key) -> Key | None:
        if key not in self._pieces:
            key = self._alias.get(key, key)
        if key not in self._pieces:
            return None
        target = self._raw(key).get("like")
        return tuple(str(target).split()) if target else None

    def _raw(self, key: Key) -> Mapping[str, Any]:
        """The TOML of one table without its examples, which only the checks read."""
        pieces = self._pieces[key]
        text = "\n".join(_EXAMPLES.sub("", piece) for _, piece in pieces)
        return _parse(text, pieces[0][0], key)

    def examples(self, key: Key) -> Table:
        """The table with its examples.

        Raises:
            KnowledgeError: as `table`, and for examples of a wrong form.
        """
        text = "\n".join(piece for _, piece in self._pieces[key])
        raw = dict(_parse(text, self._pieces[key][0][0], key))
        table = self.table(key)
        if table is None:
            raise KnowledgeError(f"{' '.join(key)!r} has no table")
        whens = [when for when in raw.get("when", {}).values() if isinstance(when, dict)]
        examples = [line for part in (raw, *whens) for line in part.get("examples", ())]
        only = build(key, {"examples": examples}, table.file)
        if _without_examples(raw) != _without_examples(self._raw(key)):
            raise KnowledgeError(f"{table.file}: {' '.join(key)!r}: examples hide other fields")
        return only


def _without_examples(raw: Any) -> Any:
    if not isinstance(raw, Mapping):
        return raw
    return {name: _without_examples(raw[name]) for name in raw if name != "examples"}


def _parse(text: str, file: str, key: Key) -> Mapping[str, Any]:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise KnowledgeError(f"{file}: [{' '.join(key)!r}] {error}") from None
    (name,) = parsed
    raw = parsed[name]
    if not isinstance(raw, dict):
        raise KnowledgeError(f"{file}: {name!r} is not a table")
    return raw
