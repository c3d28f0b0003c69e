"""Readers of programs that run another program with words of their own making."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply, rest
from supervisor.effects.reading import Word

_ENV_VALUED = frozenset({"-u", "--unset", "-C", "--chdir", "-P", "-a", "--argv0"})


@reader
def environment(invocation: Invocation, words: Sequence[Word]) -> None:
    """`env`: `-S TEXT` is split into words, then come settings and the program."""
    words = list(words)
    before = ""
    for index, word in enumerate(words):
        before, text = word.text, word.text if before not in _ENV_VALUED else "-"
        if not text.startswith("-"):
            break
        split_text, length = "", 0
        if text in {"-S", "--split-string"} and index + 1 < len(words):
            split_text, length, word = words[index + 1].text, 2, words[index + 1]
        elif text.startswith("--split-string="):
            split_text, length = text.partition("=")[2], 1
        elif re.fullmatch(r"-[iv0]*S.+", text, re.DOTALL):
            split_text, length = text.partition("S")[2], 1
        if length:
            words[index : index + length] = _split_text(invocation, replace(word, text=split_text))
            break
    given = take(invocation, words)
    for option, value in given.options:
        if option.role is not None and value is not None:
            apply(invocation, option.role, value)
    operands = list(given.operands)
    while operands and "=" in operands[0].text:  # any word that has one, says env
        apply(invocation, "assign", operands.pop(0))
    rest(invocation, "program", operands)


def _split_text(invocation: Invocation, word: Word) -> list[Word]:
    """The words of `env -S TEXT`; escapes and variables are not followed."""
    parts = word.text.split()
    if not word.exact or re.search(r"[\\$#]", word.text):
        invocation.opaque("splits a text by rules of its own")
    else:
        try:
            parts = shlex.split(word.text)
        except ValueError:
            invocation.opaque("splits a text by rules of its own")
    return [Word(part) for part in parts]


@reader
def locked(invocation: Invocation, words: Sequence[Word]) -> None:
    """`flock FILE PROGRAM…` or `flock FILE -c TEXT`; a number is an open file."""
    given = take(invocation, words)
    operands = given.operands
    if not operands:
        return
    if not operands[0].text.isdigit():
        invocation.write(operands[0])
    if len(operands) > 1 and operands[1].text in {"-c", "--command"}:
        rest(invocation, "commands", operands[2:])
    else:
        rest(invocation, "program", operands[1:])


@reader
def traced(invocation: Invocation, words: Sequence[Word]) -> None:
    """`strace`: an output that begins with `|` or `!` is a command."""
    given = take(invocation, words)
    output = given.value("-o")
    if output is not None and output.text[:1] in {"|", "!"}:
        invocation.opaque("writes its output to a command")
        apply_options(invocation, given, "-o")
    else:
        apply_options(invocation, given)
    rest(invocation, "program", given.operands)


@reader
def applet(invocation: Invocation, words: Sequence[Word]) -> None:
    """`busybox NAME …` is the program NAME."""
    if words and words[0].text.startswith("-"):
        if words[0].text not in {"--list", "--list-full", "--help", "--long"}:
            invocation.unknown(f"does not know option {words[0].text}")
        return
    rest(invocation, "program", words)


@reader
def loader(invocation: Invocation, words: Sequence[Word]) -> None:
    """The dynamic loader runs the program that follows its options."""
    words = list(words)
    while words and words[0].text.startswith("--"):
        option = words.pop(0).text
        if option not in {"--list", "--verify"}:
            invocation.opaque(f"loads libraries by {option}")
        if option in {"--preload", "--library-path", "--audit", "--argv0"} and words:
            words.pop(0)
    rest(invocation, "program", words)
