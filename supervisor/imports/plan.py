"""What an import of a file would do, from its bytes alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from supervisor.errors import UsageError
from supervisor.imports import dotenv
from supervisor.imports.classify import Provider, classify, tokens_in
from supervisor.protocol.imports import ImportRow
from supervisor.vault.limits import LONGEST, SHORTEST

# A name as programs have them; of these, what an environment takes.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, repr=False)  # a repr would hold the secret
class Moving:
    """One secret that moves, under every name it has in the file.

    `variable`: the first of them, "" where no environment has such a name.
    """

    credential: str
    variable: str
    secret: str
    provider: Provider


@dataclass(frozen=True, slots=True, repr=False)
class Contents:
    """`safe`: once these have moved, no secret is left that can be seen."""

    file: dotenv.Dotenv
    rows: tuple[ImportRow, ...]
    moving: tuple[Moving, ...]
    safe: bool


def contents(
    content: bytes,
    stands_in: Callable[[str], str],
    taken: Container[str] = (),
    bind: Mapping[str, Sequence[str]] | None = None,
    leave: Container[str] = (),
) -> Contents:
    """What is in the file, and what of it moves.

    Args:
        stands_in: whose stand-in a text is, "" for none.
        taken: names of credentials that there are already.
        bind, leave: as in `wire_imports.PlanImport`.

    Raises:
        UsageError: `bind` names what is not there, or what cannot be moved.
    """
    file = dotenv.read(content)
    bind = bind or {}
    missing = sorted(set(bind) - {value.name for value in file.values})
    if missing:
        raise UsageError(f"There is no variable {missing[0]} in this file.")
    moving: dict[str, Moving] = {}
    rows: list[ImportRow] = []
    for value in file.values:
        row = _row(value, stands_in, bind.get(value.name, ()), leave)
        if isinstance(row, Provider):
            known = moving.get(value.text)
            if known is None:
                name = _free(value.name, taken, {each.credential for each in moving.values()})
                variable = value.name if _VARIABLE.fullmatch(value.name) else ""
                known = Moving(name, variable, value.text, row)
                moving[value.text] = known
            why = f"for {known.provider.name}" if known.provider.name else "as you said"
            row = ImportRow(
                name=value.name,
                line=value.line,
                why=why,
                hosts=known.provider.hosts,
                credential=known.credential,
                secret=True,
            )
        rows.append(row)
    for line, text in file.rest:
        kept = text
        for secret in moving:
            kept = kept.replace(secret, "")
        if tokens_in(kept) and not any(row.line == line for row in rows):
            rows.append(ImportRow(name="", line=line, why="a secret in a comment", secret=True))
    rows.sort(key=lambda row: row.line)
    safe = not any(row.secret and not row.credential for row in rows)
    return Contents(file, tuple(rows), tuple(moving.values()), safe)


def _row(
    value: dotenv.Value,
    stands_in: Callable[[str], str],
    hosts: Sequence[str],
    leave: Container[str],
) -> ImportRow | Provider:
    usual = bool(_NAME.fullmatch(value.name))
    # Whoever wrote the file must not be able to write to the person's terminal.
    shown = value.name if usual else ascii(value.name[:40])

    def stays(why: str, *, secret: bool = False, asks: bool = False) -> ImportRow:
        return ImportRow(name=shown, line=value.line, why=why, secret=secret, asks=asks)

    if name := stands_in(value.text):
        return stays(f"the stand-in for {name} already")
    found = classify(value.name, value.text, hosts)
    movable = usual and value.plain and SHORTEST <= len(value.text) <= LONGEST
    if found.provider is None:
        return stays(found.why, secret=found.secret, asks=found.asks and movable)
    if value.name in leave:
        return stays("as you said", secret=True)
    if movable:
        return found.provider
    if hosts:
        raise UsageError(
            f"{shown} cannot be moved: its value is too short, or written with quotes, `#`, "
            "`$` or backslashes that programs read in different ways.",
            hint="Change it at its provider, or leave it.",
        )
    return stays("written in a way that programs read differently", secret=True)


def _free(variable: str, taken: Container[str], other: Container[str]) -> str:
    """A name for a credential that is not in use: stripe-secret-key, stripe-secret-key-2 …"""
    base = re.sub(r"[^a-z0-9]+", "-", variable.lower()).strip("-")[:56] or "imported"
    name, number = base, 1
    while name in taken or name in other:
        number += 1
        name = f"{base}-{number}"
    return name
