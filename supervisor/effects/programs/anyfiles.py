"""Readers that serve many tables: programs of many options, TeX, interpreters unread here.

Where the words of a converter or workbench are files or numbers, each is taken for a file that
is read and written: for a program that only works on the files it is given, that is more than
it does and never less.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_given
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word

_URL = re.compile(r"(?:https?|ftp)://[^\s\"'<>]+", re.IGNORECASE)
# A path that starts inside a word: `-o/etc/x`, `--out=~/x`, `list:../x`, `in.nc,/etc/x`.
_INSIDE = re.compile(
    r"(?<![\w.~/])(?:~[\w-]*/|/|\.\./)[^=,;:@\"'<>|(){}\s]+|(?<=^-\w)[~/.][^=,;:]+"
)
_PROGRAMS = frozenset({"library", "script", "opaque", "command"})  # roles that are run
_NUMBER = re.compile(r"[-+]?[\d.]+(?:[eE][-+]?\d+)?%?")


@reader
def any_files(invocation: Invocation, words: Sequence[Word]) -> None:
    """Each word, and each path inside a word, may be a file that is read and written."""
    for word in words:
        if not word.exact:
            invocation.opaque("has a word that is only known when it runs")
            continue
        for address in _URL.findall(word.text):
            invocation.url(replace(word, text=address))
        text = _URL.sub("", word.text)
        found = [match[0] for match in _INSIDE.finditer(text)]
        value = text.partition("=")[2]
        if value:
            found.append(value)
        if text and text[0] != "-" and not _NUMBER.fullmatch(text):
            found.append(text)
        for path in dict.fromkeys(found):
            if invocation.read(replace(word, text=path)):
                invocation.write(replace(word, text=path))
    apply_given(invocation, Given())


@reader
def tex(invocation: Invocation, words: Sequence[Word]) -> None:
    """TeX engines take the name of a file, or TeX code itself, which may read any file."""
    given = take(invocation, words)
    if any(mark in word.text for word in given.operands for mark in "\\&"):
        invocation.opaque("is given TeX code, which may read any file")
    invocation.given = given
    apply_given(invocation, given)


@reader
def interpreter(invocation: Invocation, words: Sequence[Word]) -> None:
    """Interpreters of languages that nobody reads here: with no program they wait for one."""
    given = take(invocation, words)
    told = [word for word in given.operands if word.text != "-"]
    told += [word for option, word in given.options if word and option.role in _PROGRAMS]
    if not told:
        if invocation.where.stdin:
            invocation.opaque("runs what it is given on its input")
        else:
            invocation.act = "interactive"
    invocation.given = given
    apply_given(invocation, given)
