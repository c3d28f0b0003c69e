"""Readers of the small programs that copy, link and rename files."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeGuard

from supervisor.effects.follow import file_text
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_given, apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply, resolve
from supervisor.effects.reading import Word

_MAX_ENTRIES = 64
_MODE = re.compile(r"[0-7]{1,5}|[-+=][0-7]+|[ugoa]*[-+=][ugorwxXstlST]*(?:,.*)?")
_HEADER = re.compile(r"^(?:\+\+\+|---|\*\*\*|Index:|rename to|copy to) ([^\t\n]+)", re.MULTILINE)
_ED = re.compile(r"^\d+(?:,\d+)?[acdi]$", re.MULTILINE)
_MAX_HEADERS = 400
_RECURSIVE = ("-r", "-R", "--recursive", "--dereference-recursive")


@reader
def remove(invocation: Invocation, words: Sequence[Word]) -> None:
    """`rm`: files, or directories with all below them."""
    given = take(invocation, words)
    recursive = given.has(*_RECURSIVE)
    if recursive and not given.operands:
        invocation.opaque("deletes all of nothing: what it should name is missing")
    for word in given.operands:
        if recursive:
            invocation.clear(word)
        else:
            invocation.delete(word)


@reader
def copy(invocation: Invocation, words: Sequence[Word]) -> None:
    """`cp`, `mv`, `install`: sources, then a file or a directory that they are put into."""
    given = take(invocation, words)
    into = given.value("-t")
    sources = list(given.operands)
    target = into or (sources.pop() if len(sources) > 1 else None)
    apply_options(invocation, given, "-t")
    mode = given.value("--mode") if invocation.program in {"install", "ginstall"} else None
    if mode is not None and _sets_id(mode.text):
        invocation.act = "privilege"
    moves = invocation.table.operands[0].role == "move"
    for source in sources:
        if invocation.read(source) and moves:
            invocation.delete(source)
    if target is None:
        return
    directory = into is not None or len(sources) > 1 or target.text.endswith("/")
    if not given.has("-T", "--no-target-directory"):
        directory = directory or _is_directory(invocation, target)
    if directory and target.exact and not invocation.where.elsewhere:
        put_into(invocation, sources, target)
    else:
        invocation.write(target)
    if given.has("-s", "--symbolic-link", "-l", "--link"):
        for source in sources:
            _link(invocation, source, target, directory=directory)


def put_into(invocation: Invocation, sources: Sequence[Word], target: Word) -> None:
    """Every source is written below the directory `target`, under its own name."""
    written = False
    for source in sources:
        name = os.path.basename(source.text.rstrip("/"))
        if not source.exact:
            continue
        if name in {"", ".", ".."}:
            names = _entries(invocation, source)
            invocation.write(target)
        else:
            names = [name]
        for entry in names:
            written = True
            path = os.path.join(target.text, entry)
            invocation.write(replace(target, text=path, glob=target.glob))
    if not written:
        invocation.write(target)


def _entries(invocation: Invocation, directory: Word) -> list[str]:
    """Names in a directory whose content is copied (`cp -r a/. b`)."""
    where = invocation.where
    if not where.cwd and not directory.text.startswith("/"):
        return []
    try:
        return sorted(os.listdir(os.path.join(where.cwd, directory.text)))[:_MAX_ENTRIES]
    except (OSError, ValueError):
        return []


def _is_directory(invocation: Invocation, word: Word) -> bool:
    where = invocation.where
    if not word.exact or where.elsewhere or "\0" in word.text:
        return False
    if not where.cwd and not word.text.startswith("/"):
        return False
    return os.path.isdir(os.path.join(where.cwd, word.text))


@reader
def made_directories(invocation: Invocation, words: Sequence[Word]) -> None:
    """`install -d`: every operand is a directory to make."""
    given = take(invocation, words)
    apply_options(invocation, given)
    for word in given.operands:
        invocation.write(word)


@reader
def links(invocation: Invocation, words: Sequence[Word]) -> None:
    """`ln`: the link is written; a hard link gives the target another name to be changed by."""
    given = take(invocation, words)
    into = given.value("-t")
    apply_options(invocation, given, "-t")
    targets = list(given.operands)
    if into is not None:
        place = into
    elif len(targets) > 1:
        place = targets.pop()
    else:
        place = Word(".")
    directory = into is not None or len(targets) > 1 or len(given.operands) == 1
    if not given.has("-T", "-n", "--no-target-directory", "--no-dereference"):
        directory = directory or _is_directory(invocation, place)
    symbolic = given.has("-s", "--symbolic")
    for target in targets:
        if not symbolic:
            invocation.write(target)
        name = os.path.basename(target.text.rstrip("/"))
        path = os.path.join(place.text, name) if directory else place.text
        link = Word(path, place.exact and target.exact, place.glob)
        invocation.write(link)
        if symbolic:
            _link(invocation, target, link, directory=False)


def _link(invocation: Invocation, target: Word, link: Word, *, directory: bool) -> None:
    """Remember that `link` leads to `target` from here on."""
    cwd = invocation.where.cwd
    if not (target.exact and link.exact) or invocation.where.elsewhere:
        return
    path = os.path.join(link.text, os.path.basename(target.text)) if directory else link.text
    if not cwd and not path.startswith("/"):
        return
    path = os.path.normpath(os.path.join(cwd, path))
    to = os.path.normpath(os.path.join(os.path.dirname(path), target.text))
    if to != path:
        invocation.reading.links[path] = to


@reader
def shredded(invocation: Invocation, words: Sequence[Word]) -> None:
    """`shred -u` writes and removes."""
    given = take(invocation, words)
    apply_given(invocation, given)
    for word in given.operands:
        invocation.delete(word)


@reader
def permissions(invocation: Invocation, words: Sequence[Word]) -> None:
    """`chmod`: a mode may begin with a dash; set-user-id and set-group-id give rights away."""
    words = list(words)
    mode: Word | None = None
    for index, word in enumerate(words):
        if _MODE.fullmatch(word.text) and (word.text[:1] != "-" or word.text not in "-R-f-v-c"):
            mode = words.pop(index)
            break
    given = take(invocation, words)
    if mode is None and not given.has("--reference"):
        if given.operands and not given.operands[0].exact:
            given.operands.pop(0)
        invocation.opaque("is given a mode that cannot be read")
    elif mode is not None and _sets_id(mode.text):
        invocation.act = "privilege"
    for word in given.operands:
        invocation.write(word)


def _sets_id(mode: str) -> bool:
    """Whether a program of that mode runs as its owner or group."""
    if mode.lstrip("+-=").isdigit():
        return bool(int(mode.lstrip("+-="), 8) & 0o6000) and mode[:1] != "-"
    return any("s" in part.partition(sign)[2] for part in mode.split(",") for sign in "+=")


@reader
def renames(invocation: Invocation, words: Sequence[Word]) -> None:
    """`rename FROM TO FILE…` of util-linux, or `rename EXPRESSION FILE…` in Perl's language."""
    given = take(invocation, words)
    operands = given.operands
    if operands and not (operands[0].exact and re.fullmatch(r"[\w .,+-]*", operands[0].text)):
        invocation.opaque("may run an expression in Perl")
        operands = operands[1:]
    else:
        operands = operands[2:]
    for word in operands:
        invocation.write(word)


@reader
def split_file(invocation: Invocation, words: Sequence[Word]) -> None:
    """`split [FILE [PREFIX]]`: the parts lie where the prefix says, else here."""
    given = take(invocation, words)
    if given.operands and given.operands[0].text != "-":
        invocation.read(given.operands[0])
    invocation.write(given.operands[1] if len(given.operands) > 1 else Word("."))
    for word in given.operands[2:]:
        invocation.unknown(f"does not know what the word {word.text} is for")
    apply_options(invocation, given)


@reader
def patch_files(invocation: Invocation, words: Sequence[Word]) -> None:
    """`patch [FILE [PATCH]]`: the files that the patch names are written."""
    given = take(invocation, words)
    source = given.value("-i") or (given.operands[1] if len(given.operands) > 1 else None)
    text: str | None = invocation.where.stdin_text or None
    if source is not None and source.text != "-":
        known = invocation.read(source) and not invocation.where.elsewhere
        text = file_text(resolve(source.text, invocation.where.cwd)) if known else None
    apply_options(invocation, given, "-i", "-d")
    if given.has("-d"):
        apply(invocation, "in", given.value("-d") or Word("."))
    if given.operands:
        apply(invocation, "edit", given.operands[0])
    elif text is None:
        invocation.write(Word("."))
    if given.has("-e", "--ed") or (text is not None and _ED.search(text)):
        invocation.opaque("runs an editor's script")
    strip = given.value("-p")
    for name in patched_names(text or "", int(strip.text) if _digits(strip) else None):
        if not given.operands:
            invocation.write(Word(name))


def _digits(word: Word | None) -> TypeGuard[Word]:
    return word is not None and word.text.isdecimal() and len(word.text) < 4


def patched_names(text: str, strip: int | None) -> list[str]:
    """The files that a patch in the unified or context format changes.

    `strip`: how many leading directories are cut off; None for all of them, as patch does.
    """
    names: dict[str, None] = {}
    for match in itertools.islice(_HEADER.finditer(text), _MAX_HEADERS):
        name = match[1].strip().strip('"')
        if name == "/dev/null":
            continue
        parts = name.split("/")
        names["/".join(parts[strip:]) if strip is not None else parts[-1]] = None
    return [name for name in names if name]
