"""The tables of the knowledge of programs as frozen dataclasses, strictly checked. No I/O.

README.md beside this file says what each field means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_REST_ROLES = _set("program elsewhere commands")  # take all the words left
_ROLES = _REST_ROLES | _set(
    "text read write delete edit move clear mode link in url host at-read at-value remote-read "
    "remote-write command script library assign package pid ref opaque"
)
LANGUAGES = _set("python perl ruby node php lua awk sed jq sql sh")
_ACTS = _set(
    "project install update discard reveal privilege persist terminal containers supervisor debug "
    "system signal listen settings interactive device"
)
_STYLES = _set("gnu posix single plain pairs")
_DEGREES = _set("read post change publish destroy")
_WHEN_FIELDS = _set(
    "flags options optional operands act effects network reader everywhere input examples"
)
_FIELDS = _WHEN_FIELDS | _set("also like style when bare")
NUMBER = "NUMBER"  # in `flags`: "-NUMBER" stands for a dash (or plus) and digits


class KnowledgeError(ValueError):
    """A table is wrong; the message names the file, the table and the field."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option: `role` is None for a flag; `attached` when its value may be absent."""

    names: tuple[str, ...]
    role: str | None = None
    attached: bool = False


@dataclass(frozen=True, slots=True)
class Operand:
    role: str
    many: bool = False
    optional: bool = False

    @property
    def rest(self) -> bool:
        """Whether it is a command of its own to the end of the words."""
        return self.role in _REST_ROLES


@dataclass(frozen=True, slots=True)
class When:
    """What changes when one of `options` is given, or the first operand is one of `operands`."""

    options: frozenset[str]
    operands: frozenset[str]
    changes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """What is known of one program or subcommand, with what it has from its shorter keys."""

    key: tuple[str, ...]
    file: str
    style: str = "gnu"
    options: Mapping[str, Option] = field(default_factory=dict)
    others: bool = False  # every other option is harmless
    numbers: str = ""  # of "-+": which may stand before mere digits
    operands: tuple[Operand, ...] = ()
    act: str = ""
    effects: tuple[tuple[str, ...], ...] = ()
    when: tuple[When, ...] = ()
    inherited_when: tuple[When, ...] = ()
    bare: bool = False
    network: tuple[str, ...] = ()
    reader: str = ""
    everywhere: bool = False
    input: str = ""  # language of the program that it takes from its standard input
    subcommands: frozenset[str] = frozenset()
    examples: tuple[tuple[str, tuple[str, ...]], ...] = ()
    # What `when` makes of it, by the indexes of those that hold; filled on the way.
    variants: dict[tuple[int, ...], Table] = field(default_factory=dict, compare=False)

    @property
    def program(self) -> str:
        return self.key[0]

    @property
    def subcommand(self) -> str:
        return " ".join(self.key[1:])


def build(
    key: tuple[str, ...],
    raw: Mapping[str, Any],
    file: str,
    *,
    parent: Table | None = None,
    like: Table | None = None,
    subcommands: frozenset[str] = frozenset(),
) -> Table:
    """The checked table of `raw`, a TOML table.

    Raises:
        KnowledgeError: an unknown field, role, act, style, or a value of the wrong form.
    """
    place = f'{file}: ["{" ".join(key)}"]'
    for name in raw:
        if name not in _FIELDS:
            raise KnowledgeError(f"{place} has an unknown field {name!r}")
    options: dict[str, Option] = {}
    others, numbers = False, ""
    base = like or Table(key, file, style=parent.style if parent else "gnu")
    for source in (parent, like):
        if source is not None:
            options.update(source.options)
            others, numbers = others or source.others, numbers + source.numbers
    more, other, digits = _options(raw, place)
    options.update(more)
    when = like.when if like else ()
    if "when" in raw:
        when += _whens(raw["when"], options, place)
    network = raw.get("network", base.network or (parent.network if parent else ()))
    table = Table(
        key=key,
        file=file,
        style=_choice(raw.get("style", base.style), _STYLES, f"{place} style"),
        options=options,
        others=others or other,
        numbers=numbers + digits,
        operands=_operands(raw["operands"], place) if "operands" in raw else base.operands,
        act=_choice(raw.get("act", base.act), _ACTS | {""}, f"{place} act"),
        effects=_effects(raw["effects"], place) if "effects" in raw else base.effects,
        when=when,
        inherited_when=_inherited(parent) if parent else base.inherited_when,
        bare=_truth(raw.get("bare", base.bare), f"{place} bare"),
        network=_strings(network, f"{place} network"),
        reader=_text(raw.get("reader", base.reader), f"{place} reader"),
        everywhere=_truth(
            raw.get("everywhere", base.everywhere or bool(parent and parent.everywhere)),
            f"{place} everywhere",
        ),
        input=_language(raw.get("input", base.input), f"{place} input"),
        subcommands=subcommands,
        examples=_examples(raw.get("examples", ()), place),
    )
    _check_style(table, place)
    return table


def variant(table: Table, changes: Iterable[Mapping[str, Any]]) -> Table:
    """`table` with the fields of `when` sub-tables laid over it, later ones last."""
    place = f'{table.file}: ["{" ".join(table.key)}"] when'
    options = dict(table.options)
    values: dict[str, Any] = {
        name: getattr(table, name)
        for name in Table.__dataclass_fields__
        if name not in {"options", "variants"}
    }
    for change in changes:
        more, other, digits = _options(change, place)
        options.update(more)
        values["others"] = values["others"] or other
        values["numbers"] += digits
        if "operands" in change:
            values["operands"] = _operands(change["operands"], place)
        if "effects" in change:
            values["effects"] += _effects(change["effects"], place)
        if "network" in change:
            values["network"] = _strings(change["network"], place)
        for name in ("act", "reader", "everywhere", "input"):
            if name in change:
                values[name] = change[name]
    return Table(options=options, **values)


# ── Parts of a table ────────────────────────────────────────────────────────────────────


def _options(raw: Mapping[str, Any], place: str) -> tuple[dict[str, Option], bool, str]:
    """The options named by `flags`, `options` and `optional`; whether `*`; which numbers."""
    found: dict[str, Option] = {}
    others, numbers = False, ""
    flags = raw.get("flags", "")
    if not isinstance(flags, str):
        raise KnowledgeError(f"{place} flags must be one string, blank separated")
    for name in flags.split():
        if name == "*":
            others = True
        elif name[1:] == NUMBER and name[0] in "-+":
            numbers += name[0]
        else:
            found[name] = Option((name,))
    for kind in ("options", "optional"):
        entries = raw.get(kind, {})
        if not isinstance(entries, Mapping):
            raise KnowledgeError(f"{place} {kind} must be a table of options and roles")
        for names, role in entries.items():
            every = tuple(str(names).split())
            if not every:
                raise KnowledgeError(f"{place} {kind} has an empty key")
            option = Option(every, _role(role, f"{place} {kind} {names!r}"), kind == "optional")
            found.update(dict.fromkeys(every, option))
    return found, others, numbers


def _whens(raw: Any, options: dict[str, Option], place: str) -> tuple[When, ...]:
    """The `when` sub-tables; options that only they describe are added to `options`."""
    if not isinstance(raw, Mapping):
        raise KnowledgeError(f"{place} when must be a table of tables")
    found = []
    for key, changes in raw.items():
        here = f"{place} when {key!r}"
        if not isinstance(changes, Mapping):
            raise KnowledgeError(f"{here} must be a table")
        for name in changes:
            if name not in _WHEN_FIELDS:
                raise KnowledgeError(f"{here} has an unknown field {name!r}")
        own, _, _ = _options(changes, here)
        words = str(key).split()
        if not words or words == ["operand"]:
            raise KnowledgeError(f"{here} names no option and no operand")
        if words[0] == "operand":
            found.append(When(frozenset(), frozenset(words[1:]), changes))
        else:
            for word in words:
                if word in own:
                    options.setdefault(word, own[word])
                elif word not in options:
                    raise KnowledgeError(f"{here}: option {word} is not listed")
            found.append(When(frozenset(words), frozenset(), changes))
        if "operands" in changes:
            _operands(changes["operands"], here)
        if "effects" in changes:
            _effects(changes["effects"], here)
        _choice(changes.get("act", ""), _ACTS | {""}, f"{here} act")
        _text(changes.get("reader", ""), f"{here} reader")
        _truth(changes.get("everywhere", False), f"{here} everywhere")
        _language(changes.get("input", ""), f"{here} input")
        _strings(changes.get("network", ()), f"{here} network")
    return tuple(found)


def _inherited(parent: Table) -> tuple[When, ...]:
    """What options of a shorter key change in its subcommands: all but the operands."""
    kept = []
    for when in (*parent.inherited_when, *parent.when):
        changes = {name: value for name, value in when.changes.items() if name != "operands"}
        if when.options and changes:
            kept.append(When(when.options, frozenset(), changes))
    return tuple(kept)


def _operands(raw: Any, place: str) -> tuple[Operand, ...]:
    if not isinstance(raw, str):
        raise KnowledgeError(f"{place} operands must be one string of roles")
    found = []
    for word in raw.split():
        name = word.removesuffix("?")
        many = name.endswith("...")
        role = _role(name.removesuffix("..."), f"{place} operands")
        found.append(Operand(role, many, word.endswith("?")))
    for index, operand in enumerate(found):
        if operand.rest and (not operand.many or index != len(found) - 1):
            raise KnowledgeError(f"{place} operands: {operand.role}... must stand last")
    several = [operand for operand in found if operand.many]
    settings = len(several) == 2 and several[0].role == "assign" and several[1].rest
    if len(several) > 1 and not settings:
        raise KnowledgeError(f"{place} operands: only one role may take any number")
    return tuple(found)


def _role(raw: Any, place: str) -> str:
    if isinstance(raw, str):
        if raw in _ROLES:
            return raw
        if raw.startswith("code:") and raw[5:] in LANGUAGES:
            return raw
        if re.fullmatch(r"by:[a-z0-9_]+", raw):
            return raw
    raise KnowledgeError(f"{place}: unknown role {raw!r}")


def _effects(raw: Any, place: str) -> tuple[tuple[str, ...], ...]:
    """Written effects as tuples of words, such as ("operate", "github", "pr merge", "change")."""
    written = raw.split(";") if isinstance(raw, str) else _strings(raw, f"{place} effects")
    return tuple(parse_effect(text, place) for text in written if text.strip())


def parse_effect(text: str, place: str) -> tuple[str, ...]:
    """One written effect as its words; the words of an operation are joined.

    Raises:
        KnowledgeError: it is not of a form that README.md lists.
    """
    words = text.split()
    count = len(words) - 1
    match words[:1]:
        case ["read" | "write" | "delete" | "connect" | "run"] if count == 1:
            return tuple(words)
        case ["opaque"] if count == 0:
            return ("opaque",)
        case ["http"] if count == 2:
            return tuple(words)
        case ["push"] if count >= 2 and set(words[3:]) <= {"force", "delete"}:
            return (*words[:3], *sorted(words[3:]))
        case ["sql"] if count in {1, 2}:
            return (words[0], words[1], words[2] if count == 2 else "")
        case ["install"] if count in {1, 2}:
            return (words[0], words[1], words[2] if count == 2 else "")
        case ["operate"] if count >= 3 and words[-1] in _DEGREES:
            return (words[0], words[1], " ".join(words[2:-1]).replace("'", ""), words[-1])
        case _:
            raise KnowledgeError(f"{place}: {text.strip()!r} is not an effect")


def _examples(raw: Any, place: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = []
    for example in raw:
        if (
            not isinstance(example, (list, tuple))
            or len(example) != 2
            or not all(isinstance(part, str) for part in example)
        ):
            raise KnowledgeError(f"{place} examples: {example!r} is not [command, effects]")
        effects = tuple(text.strip() for text in example[1].split(";") if text.strip())
        for effect in effects:
            parse_effect(effect, f"{place} example {example[0]!r}")
        found.append((example[0], effects))
    return tuple(found)


def _choice(raw: Any, allowed: frozenset[str], place: str) -> str:
    if isinstance(raw, str) and raw in allowed:
        return raw
    raise KnowledgeError(f"{place}: unknown value {raw!r}")


def _language(raw: Any, place: str) -> str:
    return _choice(raw, LANGUAGES | {""}, place)


def _strings(raw: Any, place: str) -> tuple[str, ...]:
    if isinstance(raw, (list, tuple)) and all(isinstance(item, str) for item in raw):
        return tuple(raw)
    raise KnowledgeError(f"{place} must be a list of strings")


def _text(raw: Any, place: str) -> str:
    if isinstance(raw, str) and re.fullmatch(r"[a-z0-9_]*", raw):
        return raw
    raise KnowledgeError(f"{place}: {raw!r} is not the name of a function")


def _truth(raw: Any, place: str) -> bool:
    if isinstance(raw, bool):
        return raw
    raise KnowledgeError(f"{place} must be true or false")


def _check_style(table: Table, place: str) -> None:
    takes_rest = any(operand.rest for operand in table.operands)
    if takes_rest and table.style in {"gnu", "pairs"}:
        raise KnowledgeError(
            f"{place} runs a command of its own: its options end before it, write style = posix"
        )
