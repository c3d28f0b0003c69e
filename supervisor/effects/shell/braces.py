"""Tilde and braces: what stands for several words, or for a directory (XCU 2.6.1; bash 3.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.shell.state import State
from supervisor.effects.shell.syntax import Literal, Parameter, Part

_MAX_BRACES = 64
_SEQUENCE = re.compile(
    r"(?:(-?\d{1,6})\.\.(-?\d{1,6})|([A-Za-z])\.\.([A-Za-z]))(?:\.\.-?(\d{1,6}))?"
)
_ASSIGNED_TILDE = re.compile(r"[A-Za-z_]\w*=~")


def tilde(parts: Sequence[Part], state: State, *, assigned: bool = False) -> Sequence[Part]:
    """`parts` with the home directory for `~` where that is meant."""
    first = parts[0] if parts else None
    if not isinstance(first, Literal) or first.quoted or "~" not in first.text:
        return parts
    given = _ASSIGNED_TILDE.match(first.text)
    start = given.end() - 1 if given else 0
    if not given and not first.text.startswith("~") and not assigned:
        return parts
    before, rest = first.text[:start], first.text[start:]
    done: list[Part] = [Literal(before, False)] if before else []
    pieces = rest.split(":") if assigned or given else [rest]
    for index, piece in enumerate(pieces):
        if index:
            done.append(Literal(":", False))
        prefix, slash, after = piece.partition("/")
        last = index == len(pieces) - 1 and len(parts) > 1
        if not piece.startswith("~") or (last and not slash):
            done.append(Literal(piece, False))
            continue
        home = _home(prefix, state)
        done.append(Parameter("", True) if home is None else Literal(home, True))
        done.append(Literal(slash + after, False))
    return [*done, *parts[1:]]


def _home(prefix: str, state: State) -> str | None:
    match prefix:
        case "~":
            return state.value("HOME")
        case "~+":
            return state.value("PWD")
        case "~-":
            return state.variables.get("OLDPWD")
        case "~root":
            return "/root"
        case _:
            return None


def braces(parts: Sequence[Part]) -> list[tuple[Part, ...]]:
    """`a{b,c}` as `ab` and `ac`; a word that would become too many is one that is not exact."""
    if not any(isinstance(p, Literal) and not p.quoted and "{" in p.text for p in parts):
        return [tuple(parts)]
    atoms: list[Part | str] = []
    for part in parts:
        if isinstance(part, Literal) and not part.quoted:
            atoms += part.text
        else:
            atoms.append(part)
    expanded = _expand(atoms, [_MAX_BRACES]) if atoms.count("{") <= _MAX_BRACES else None
    if expanded is None:
        return [(*parts, Parameter("", True))]
    return [_together(one) for one in expanded]


def _expand(atoms: list[Part | str], room: list[int]) -> list[list[Part | str]] | None:
    """All that the first brace in `atoms` makes of them; None when that is too many."""
    for start, atom in enumerate(atoms):
        if atom != "{":
            continue
        choices, end = _choices(atoms, start)
        if choices is None:
            continue
        found: list[list[Part | str]] = []
        for choice in choices:
            tails = _expand([*choice, *atoms[end:]], room)
            if tails is None:
                return None
            found += [[*atoms[:start], *tail] for tail in tails]
            room[0] -= 1
            if room[0] < 0 or len(found) > _MAX_BRACES:
                return None
        return found
    return [atoms]


def _choices(atoms: list[Part | str], start: int) -> tuple[list[list[Part | str]] | None, int]:
    """What stands between the commas of the brace at `start`, and where it ends."""
    level = 0
    choices: list[list[Part | str]] = [[]]
    for index in range(start, len(atoms)):
        atom = atoms[index]
        if atom == "{":
            level += 1
            if level == 1:
                continue
        elif atom == "}":
            level -= 1
            if level == 0:
                if len(choices) > 1:
                    return choices, index + 1
                return _sequence(choices[0]), index + 1
        elif atom == "," and level == 1:
            choices.append([])
            continue
        choices[-1].append(atom)
    return None, start


def _sequence(atoms: list[Part | str]) -> list[list[Part | str]] | None:
    """`1..9` or `a..e`."""
    if not all(isinstance(atom, str) for atom in atoms):
        return None
    match = _SEQUENCE.fullmatch("".join([atom for atom in atoms if isinstance(atom, str)]))
    if match is None:
        return None
    if match[1]:
        low, high = int(match[1]), int(match[2])
    else:
        low, high = ord(match[3]), ord(match[4])
    step = int(match[5] or 1) or 1
    values = range(low, high + 1, step) if low <= high else range(low, high - 1, -step)
    if len(values) > _MAX_BRACES:
        return [[Parameter("RANDOM", True)]]  # one of many numbers
    width = max(len(match[1]), len(match[2])) if match[1] and _padded(match) else 0
    texts = [chr(v) if match[3] else str(v).zfill(width) for v in values]
    return [[*t] for t in texts]


def _padded(match: re.Match[str]) -> bool:
    return any(end.lstrip("-").startswith("0") and len(end) > 1 for end in (match[1], match[2]))


def _together(atoms: list[Part | str]) -> tuple[Part, ...]:
    parts: list[Part] = []
    for atom in atoms:
        last = parts[-1] if parts else None
        if not isinstance(atom, str):
            parts.append(atom)
        elif isinstance(last, Literal) and not last.quoted:
            parts[-1] = Literal(last.text + atom, False)
        else:
            parts.append(Literal(atom, False))
    return tuple(parts)
