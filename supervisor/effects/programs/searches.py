"""Readers of programs that search through files: grep and its kin."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word
from supervisor.effects.searching import GitIgnored, Wanted

_RECURSIVE = ("-r", "-R", "--recursive", "--dereference-recursive")
_PATTERN_OPTIONS = ("-e", "--regexp", "-f", "--file")
_LIFTS = {"-u": 1, "-uu": 2, "-uuu": 3, "--unrestricted": 1}  # what it passes by: git's, hidden
_UNIGNORING = ("--no-ignore", "--no-ignore-vcs")


@reader
def pattern_first(invocation: Invocation, words: Sequence[Word]) -> None:
    """`grep`: the first operand is a pattern unless an option gives one."""
    given = take(invocation, words)
    apply_options(invocation, given)
    files = given.operands if given.has(*_PATTERN_OPTIONS) else given.operands[1:]
    recursive = given.has(*_RECURSIVE) or invocation.program == "rgrep"
    directories = given.value("-d")
    recursive = recursive or (directories is not None and directories.text == "recurse")
    for word in files:
        if word.text != "-":
            invocation.read(word)
    if not files and recursive:
        invocation.read(Word("."))
    if recursive:
        follow = given.has("-R", "--dereference-recursive")
        for word in files or [Word(".")]:
            invocation.search(word, _grepped(given), follow=follow)


def _grepped(given: Given) -> Wanted:
    """What grep goes through: of rules that name a file the last one holds."""
    rules = [
        (name, value.text)
        for option, value in given.options
        if value is not None
        for name in ("--include", "--exclude", "--exclude-dir")
        if name in option.names
    ]
    files = [rule for rule in rules if rule[0] != "--exclude-dir"]

    def wanted(entry: os.DirEntry[str]) -> bool:
        if entry.is_dir():
            return not any(
                name == "--exclude-dir" and fnmatch.fnmatchcase(entry.name, pattern)
                for name, pattern in rules
            )
        for name, pattern in reversed(files):
            if fnmatch.fnmatchcase(entry.name, pattern):
                return name == "--include"
        return not files or files[0][0] != "--include"

    return wanted


@reader
def ripgrep(invocation: Invocation, words: Sequence[Word]) -> None:
    """`rg [PATTERN] [PATH…]`: hidden files and those that git ignores where it is told to."""
    given = take(invocation, words)
    apply_options(invocation, given)
    lists = given.has("--files", "--type-list")
    named = lists or given.has(*_PATTERN_OPTIONS)
    files = given.operands if named else given.operands[1:]
    for word in files:
        if word.text != "-":
            invocation.read(word)
    typed = given.has("-t", "--type") and not given.has("--type-add")  # none holds secrets
    if lists or typed or (not files and invocation.where.stdin):
        return
    for word in files or [Word(".")]:
        invocation.search(word, _ripped(invocation, given, word), follow=given.has("-L"))


def _ripped(invocation: Invocation, given: Given, root: Word) -> Wanted:
    """What ripgrep goes through: of globs that name a file the last one holds, over all else."""
    lifted = sum(_LIFTS.get(name, 0) for option, _ in given.options for name in option.names)
    hidden = lifted > 1 or given.has("--hidden", "-.")
    globs = [
        value.text
        for option, value in given.options
        if value is not None and {"-g", "--iglob"} & set(option.names)
    ]
    positive = any(not glob.startswith("!") for glob in globs)
    ignored = None
    if not lifted and not given.has(*_UNIGNORING):
        where = invocation.where
        top = os.path.realpath(os.path.join(where.cwd or "/", root.text))
        ignored = GitIgnored(top, invocation.reading.written)

    def wanted(entry: os.DirEntry[str]) -> bool:
        directory = entry.is_dir()
        for glob in reversed(globs):
            bare = glob.removeprefix("!").rpartition("/")[2]
            if bare and fnmatch.fnmatchcase(entry.name, bare):
                return not glob.startswith("!")
        if positive and not directory:
            return False
        if entry.name.startswith(".") and not hidden:
            return False
        return ignored is None or entry.path not in ignored

    return wanted
