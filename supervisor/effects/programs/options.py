"""How the words of a command are split into options and operands, by a table. No I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from supervisor.effects.knowledge import Option, Table
from supervisor.effects.reading import Word


@dataclass(slots=True)
class Given:
    """What was given: options in order with their values, operands, and what is not known."""

    options: list[tuple[Option, Word | None]] = field(default_factory=list)
    operands: list[Word] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    next: int = 0  # index of the first word that was not looked at

    @property
    def names(self) -> frozenset[str]:
        """Every name of every option that was given."""
        return frozenset(name for option, _ in self.options for name in option.names)

    def value(self, name: str) -> Word | None:
        """The last value of the option `name`."""
        for option, value in reversed(self.options):
            if name in option.names and value is not None:
                return value
        return None

    def has(self, *names: str) -> bool:
        return any(name in option.names for option, _ in self.options for name in names)


def split(words: Sequence[Word], index: int, table: Table, *, stop: bool = False) -> Given:
    """Split `words[index:]` as `table` describes them.

    With `stop` it ends before the first operand, and `next` tells where that is.
    """
    given = Given()
    match table.style:
        case "plain":
            given.next = index if stop else len(words)
            given.operands = [] if stop else list(words[index:])
            return given
        case "pairs":
            return _pairs(words, index, table, given)
    options = table.options
    single = table.style == "single"
    ended = False
    count = len(words)
    while index < count:
        word = words[index]
        text = word.text
        if not (word.exact or ended or table.others) and _may_be_option(word, options):
            given.problems.append("has a word that may turn out to be an option")
        if ended or len(text) < 2 or (text[0] != "-" and text not in options):
            if not ended and text[:1] == "+" and text[1:].isdigit() and "+" in table.numbers:
                index += 1
                continue
            if stop:
                break
            if table.style == "posix":
                ended = True
            given.operands.append(word)
            index += 1
            continue
        index += 1
        if text == "--":
            ended = True
            continue
        option = options.get(text)
        if option is not None:
            index = _separate(option, words, index, given)
        elif text[1:].isdigit() and "-" in table.numbers:
            continue
        elif single:
            index = _single(word, words, index, table, given)
        elif text[1] == "-":
            index = _long(word, words, index, table, given)
        else:
            index = _cluster(word, words, index, table, given)
    given.next = index
    return given


def _may_be_option(word: Word, options: Mapping[str, Option]) -> bool:
    """Whether a word that is only known later may be another option than those it begins with."""
    begins = word.begins
    if begins[:1] not in {"", "-"}:
        return False
    name, equals, _ = begins.partition("=")
    option = options.get(name if equals else begins[:2])
    return option is None or option.role is None or not (equals or begins[:2] == name[:2] != "--")


def _separate(option: Option, words: Sequence[Word], index: int, given: Given) -> int:
    """`option` stands alone: its value, if it must have one, is the next word."""
    if option.role is None or option.attached:
        given.options.append((option, None))
        return index
    if index >= len(words):
        given.problems.append(f"lacks the value of {option.names[0]}")
        return index
    given.options.append((option, words[index]))
    return index + 1


def _part(word: Word, text: str) -> Word:
    return Word(text, word.exact, word.glob, word.quoted)


def _long(word: Word, words: Sequence[Word], index: int, table: Table, given: Given) -> int:
    """`--name=value`, or a name that is not listed as it stands."""
    name, equals, value = word.text.partition("=")
    option = table.options.get(name)
    if option is None:
        if table.others:
            # A short form of an option that matters must not pass as one of the harmless rest.
            for listed, found in table.options.items():
                if found.role not in {None, "text"} and listed.startswith(name):
                    given.problems.append(f"has {name}, which may be short for {listed}")
                    break
            return index
        given.problems.append(f"does not know option {name}")
        # A short form of a listed option still does what that does.
        meant = [found for listed, found in table.options.items() if listed.startswith(name)]
        if len({found.names for found in meant}) != 1 or len(name) < 3:
            return index
        option = meant[0]
        if not equals:
            return _separate(option, words, index, given)
    if option.role is None:
        if value not in {"true", "false", "yes", "no"}:
            given.problems.append(f"does not know a value of {name}")
        given.options.append((option, None))
    else:
        given.options.append((option, _part(word, value)))
    return index


def _single(word: Word, words: Sequence[Word], index: int, table: Table, given: Given) -> int:
    """`-name`, `--name`, `-name=value`, or a value attached to a listed beginning (`-Dx=y`)."""
    name, equals, value = word.text.partition("=")
    other = name[1:] if name.startswith("--") else f"-{name}"
    option = table.options.get(name) or table.options.get(other)
    if option is not None:
        if not equals:
            return _separate(option, words, index, given)
        if option.role is None:
            if value not in {"true", "false"}:
                given.problems.append(f"does not know a value of {name}")
            given.options.append((option, None))
        else:
            given.options.append((option, _part(word, value)))
        return index
    for length in range(len(word.text) - 1, 1, -1):
        begins = table.options.get(word.text[:length])
        if begins is not None and begins.attached:
            given.options.append((begins, _part(word, word.text[length:])))
            return index
    if not table.others:
        given.problems.append(f"does not know option {name}")
    return index


def _cluster(word: Word, words: Sequence[Word], index: int, table: Table, given: Given) -> int:
    """`-abc`, `-ovalue`, `-o value`; also `-name=value` where that is listed."""
    text = word.text
    name, equals, value = text.partition("=")
    if equals and name in table.options and len(name) > 2:
        named = table.options[name]
        given.options.append((named, _part(word, value) if named.role else None))
        return index
    for position in range(1, len(text)):
        option = table.options.get(f"-{text[position]}")
        if option is None:
            if table.others:
                continue
            if "-" in table.numbers and text[position:].isdigit():
                return index
            given.problems.append(f"does not know option -{text[position:]}")
            return index
        if option.role is None:
            given.options.append((option, None))
            continue
        rest = text[position + 1 :]
        if rest:
            given.options.append((option, _part(word, rest)))
            return index
        return _separate(option, words, index, given)
    return index


def _pairs(words: Sequence[Word], index: int, table: Table, given: Given) -> Given:
    """`key=value` operands, as `dd` has them."""
    for word in words[index:]:
        key, equals, value = word.text.partition("=")
        option = table.options.get(key)
        if not word.exact and not equals:
            given.problems.append("has a word that may turn out to be anything")
        elif option is None:
            if equals and not table.others:
                given.problems.append(f"does not know {key}=")
            elif not equals:
                given.operands.append(word)
        elif option.role is None:
            given.options.append((option, None))
        else:
            given.options.append((option, _part(word, value)))
    given.next = len(words)
    return given
