"""What a program writes to a pipe, as far as it is names of files."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from supervisor.effects.knowledge import Table
from supervisor.effects.programs.finding import below, found_below, parsed, selects
from supervisor.effects.programs.invocation import Invocation, base_name
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Feed, Reading, Where, Word


class _Nobody:
    """A shell for who only wants to know how words are read."""

    def run(self, words: Sequence[Word], where: Where, reading: Reading) -> None: ...

    def script(self, text: Word, where: Where, reading: Reading) -> None: ...


# What comes in goes out again, all of it in another order or some of it.
_REORDERS = names("sort gsort uniq tac tee shuf cat")
_MATCHERS = names("grep egrep fgrep")
_FILTERS = _REORDERS | _MATCHERS | names("head tail")
_LISTS = re.compile(r"-[A-Za-z]*[lL]|--files")
_ANYTHING = frozenset({"", ".", ".*", "^", "$"})  # patterns that pick nothing out
_NO_TABLE = Table(("find",), "")


def _exact(words: Sequence[Word]) -> bool:
    return all(word.exact for word in words)


def _operands(words: Sequence[Word]) -> list[Word]:
    return [word for word in words[1:] if word.text[:1] != "-"]


def _filters(name: str, words: Sequence[Word]) -> bool:
    """Whether it goes through its input: it is given no file."""
    given = [word for word in _operands(words) if not word.text.isdigit()]
    return _exact(words) and (name == "tee" or len(given) <= (name in _MATCHERS))


def _names(name: str, words: Sequence[Word]) -> bool:
    """Whether a search prints names of files, and not what stands in them."""
    return name in {"fd", "fdfind"} or any(_LISTS.match(word.text) for word in words[1:])


def _is_directory(word: Word, where: Where) -> bool:
    return os.path.isdir(os.path.join(where.cwd or "/", word.text))


def feeds(words: Sequence[Word], where: Where) -> Feed:
    """The file names that the simple command `words` prints, as far as they are known.

    For `xargs` behind it. A name with a wildcard stands for all below its directory.
    """
    name = base_name(words[0].text) if words else ""
    match name:
        case "find" | "gfind":
            silent = Invocation(words, _NO_TABLE, where, Reading(), _Nobody())
            roots, predicates = parsed(silent, words[1:])
            if silent.why:
                return Feed()
            return Feed(tuple(found_below(roots, predicates)), not selects(predicates))
        case "git" if len(words) > 1 and words[1].text in {"ls-files", "diff", "grep"}:
            every = words[1].text == "ls-files" and not _operands(words[1:])
            return Feed((below(Word("."), Word("*")),), every)
        case "ls" if _exact(words):
            # Of a directory it prints the names alone, of a file what it was given.
            return Feed((*_operands(words), Word("*", glob=True)))
        case _ if name in _FILTERS and where.stdin and _filters(name, words):
            picks = name not in _REORDERS
            return Feed(where.feed.words, where.feed.everything and not picks)
        case "grep" | "egrep" | "rg" | "fd" | "fdfind" if _exact(words) and _names(name, words):
            given = _operands(words)
            if not any(word.text == "--files" for word in words):
                pattern, given = given[:1], given[1:]
                every = not pattern or pattern[0].text in _ANYTHING
            else:
                every = True
            roots = given or [Word(".")]
            files = [root for root in roots if not _is_directory(root, where)]
            return Feed((*files, *[below(root, Word("*")) for root in roots]), every)
    return Feed()
