"""Readers of programs that pack and unpack files.

Sources: the manuals of GNU tar 1.35, Info-ZIP 3, gzip, xz, zstd, 7-Zip and RAR.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given, split
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply, resolve
from supervisor.effects.reading import Where, Word

_MODES = {
    "create": {"-c", "--create"},
    "append": {"-r", "--append", "-u", "--update", "-A", "--catenate", "--concatenate", "--delete"},
    "extract": {"-x", "--extract", "--get"},
    "list": {"-t", "--list", "-d", "--diff", "--compare", "--test-label"},
}
_ACTIONS = frozenset({"dot", ".", "echo", "ttyout", "bell", "sleep", "totals", "wait"})
_ENDINGS = {
    "gz": ("gzip", "gunzip", "pigz", "unpigz"),
    "bz2": ("bzip2", "bunzip2", "pbzip2", "lbzip2"),
    "xz": ("xz", "unxz", "pixz"),
    "lzma": ("lzma", "unlzma"),
    "lz": ("lzip", "lunzip", "plzip"),
    "lzo": ("lzop",),
    "Z": ("compress", "uncompress"),
    "zst": ("zstd", "unzstd", "zstdmt", "pzstd"),
    "lz4": ("lz4", "unlz4"),
    "br": ("brotli", "unbrotli"),
}
_ENDING = {program: ending for ending, programs in _ENDINGS.items() for program in programs}
_KEEPING = frozenset({"zstd", "unzstd", "zstdmt", "pzstd", "lz4", "unlz4", "brotli", "unbrotli"})


@reader
def tar(invocation: Invocation, words: Sequence[Word]) -> None:
    """`tar`: operands and options in their order, since `-C` counts for what follows it."""
    words = _dashed(words)
    table = invocation.table
    start = invocation.where
    given = take(invocation, words)
    mode = next((name for name, names in _MODES.items() if given.has(*names)), "")
    if given.has("-T", "--files-from") and mode in {"create", "append"}:
        invocation.opaque("takes names, and options with them, from a list")
    archive = given.value("-f")
    if archive is not None and archive.text != "-":
        _archive(invocation, archive, given, writes=mode in {"create", "append"})
    index = 0
    while index < len(words):
        before = split(words, index, table, stop=True)
        for option, value in before.options:
            if value is None:
                if "--checkpoint-action" in option.names:
                    invocation.opaque("may run a command at a checkpoint")
            elif "-C" in option.names:
                invocation.where = _inside(invocation.where, value)
            elif "--checkpoint-action" in option.names:
                _at_checkpoint(invocation, value)
            elif option.role not in {None, "text"}:
                apply(invocation, option.role or "", replace_where(invocation, start, value))
        index = before.next
        if index >= len(words):
            break
        packed = mode in {"create", "append"} and invocation.read(words[index])
        if packed and given.has("--remove-files"):
            invocation.delete(words[index])
        index += 1
    if mode == "extract" and not given.has("-O", "--to-stdout"):
        invocation.write(Word("."))
        if given.has("-P", "--absolute-names"):
            invocation.opaque("writes wherever the archive says")
    elif not mode and not given.problems and words:
        invocation.unknown("does not say what to do with the archive")
    invocation.where = start


def _at_checkpoint(invocation: Invocation, action: Word) -> None:
    """`exec=COMMAND` runs a command, other actions only tell how far it is.

    Hardly anything but a disguise uses it, so the archiver itself is not taken for one then.
    """
    name, _, command = action.text.partition("=")
    if name == "exec":
        invocation.opaque("runs a command at a checkpoint")
        invocation.script(Word(command, action.exact))
    elif name not in _ACTIONS:
        invocation.unknown(f"does not know the action {name}")


def _dashed(words: Sequence[Word]) -> list[Word]:
    """The old form `tar xzf FILE` as `tar -x -z -f FILE`."""
    found = list(words)
    if not found or found[0].text.startswith("-") or not found[0].text.isalpha():
        return found
    letters, rest = found[0].text, found[1:]
    options: list[Word] = []
    for letter in letters:
        options.append(Word(f"-{letter}"))
        if letter in "fCTXbgIFKLNVH" and rest:
            options.append(rest.pop(0))
    return [*options, *rest]


def _inside(where: Where, directory: Word) -> Where:
    known = directory.exact and (where.cwd or directory.text.startswith("/"))
    return replace(where, cwd=resolve(directory.text, where.cwd) if known else "")


def replace_where(invocation: Invocation, start: Where, word: Word) -> Word:
    """`word` seen from where the program was started, whatever `-C` stood before it."""
    if not word.exact or invocation.where is start or not start.cwd:
        return word
    return replace(word, text=os.path.join(start.cwd, word.text))


def _archive(invocation: Invocation, archive: Word, given: Given, *, writes: bool) -> None:
    host, colon, _ = archive.text.partition(":")
    if colon and "/" not in host and not given.has("--force-local"):
        invocation.host(Word(host.rpartition("@")[2], archive.exact))
        invocation.opaque("starts a program on another machine")
    elif writes:
        invocation.write(archive)
    else:
        invocation.read(archive)


@reader
def zip(invocation: Invocation, words: Sequence[Word]) -> None:
    """`zip ARCHIVE FILE…`; `-m` removes what was packed."""
    given = take(invocation, words)
    apply_options(invocation, given)
    if given.operands and given.operands[0].text != "-":
        invocation.write(given.operands[0])
    if given.has("-d", "--delete"):
        return
    for word in given.operands[1:]:
        if word.text != "-" and invocation.read(word) and given.has("-m", "--move"):
            invocation.delete(word)


@reader
def unzip(invocation: Invocation, words: Sequence[Word]) -> None:
    """`unzip ARCHIVE [MEMBER…] [-d DIRECTORY]`; some options only look."""
    given = take(invocation, words)
    apply_options(invocation, given)
    if given.operands:
        invocation.read(given.operands[0])
    looks = given.has("-l", "-v", "-t", "-p", "-c", "-z", "-Z", "-T")
    if given.operands and not looks and not given.has("-d"):
        invocation.write(Word("."))


@reader
def compressor(invocation: Invocation, words: Sequence[Word]) -> None:
    """`gzip` and its kin: each file is replaced by a packed or unpacked one."""
    given = take(invocation, words)
    apply_options(invocation, given)
    name = invocation.program
    ending = "." + _ENDING.get(name, "gz")
    unpacks = name.startswith("un") or name in {"gunzip", "bunzip2", "lunzip"}
    unpacks = unpacks or given.has("-d", "--decompress", "--uncompress")
    looks = given.has("-c", "--stdout", "--to-stdout", "-t", "--test", "-l", "--list")
    keeps = name in _KEEPING or given.has("-k", "--keep")
    deletes = given.has("--rm", "-j") if name in _KEEPING else not keeps
    if name == "lz4" and len(given.operands) == 2:
        source, target = given.operands
        invocation.read(source)
        invocation.write(target)
        return
    for word in given.operands:
        if word.text == "-" or not invocation.read(word) or looks:
            continue
        made = word.text + ending
        if unpacks:
            made = word.text.rpartition(".")[0] or word.text
        if name not in _KEEPING or not given.has("-o", "--output"):
            invocation.write(Word(made, word.exact, word.glob))
        if deletes:
            invocation.delete(word)


@reader
def seven_zip(invocation: Invocation, words: Sequence[Word]) -> None:
    """`7z COMMAND ARCHIVE FILE…`; `@LIST` names files in a list and prints what is none."""
    given = take(invocation, words)
    apply_options(invocation, given)
    operands = list(given.operands)
    if not operands:
        return
    command = operands.pop(0).text
    archive = operands.pop(0) if operands and not given.has("-an") else None
    for word in operands:
        if word.text.startswith("@"):
            invocation.read(replace(word, text=word.text[1:]))
            invocation.opaque("takes names from a list")
        elif command in {"a", "u", "h"}:
            invocation.read(word)
            if given.has("-sdel"):
                invocation.delete(word)
    if archive is None:
        if command not in {"i", "b"}:
            invocation.opaque("works on an archive that is not named")
    elif command in {"a", "u", "d", "rn"}:
        invocation.write(archive)
    elif command in {"e", "x", "l", "t", "h"}:
        invocation.read(archive)
        if command in {"e", "x"} and not given.has("-so", "-o"):
            invocation.write(Word("."))
    else:
        invocation.unknown(f"does not know the subcommand {command}")


@reader
def rar(invocation: Invocation, words: Sequence[Word]) -> None:
    """`rar COMMAND ARCHIVE FILE…`, `unrar x ARCHIVE [DIRECTORY/]`."""
    operands = [word for word in words if not word.text.startswith("-")]
    for word in words:
        if not word.exact:
            invocation.opaque("has a word that may turn out to be an option")
        elif word.text[:1] == "-" and word.text[:2] not in {"-o", "-y", "-p", "-r", "-i", "-m"}:
            invocation.unknown(f"does not know option {word.text}")
    if not operands:
        return
    command, rest = operands[0].text, operands[1:]
    archive = rest.pop(0) if rest else None
    if archive is None:
        return
    if any(word.text.startswith("@") for word in rest):
        invocation.opaque("takes names from a list")
    match command[:1]:
        case "x" | "e":
            invocation.read(archive)
            invocation.write(rest[-1] if rest and rest[-1].text.endswith("/") else Word("."))
        case "l" | "v" | "t" | "p":
            invocation.read(archive)
        case "a" | "u" | "m" | "f":
            invocation.write(archive)
            for word in rest:
                if invocation.read(word) and command[:1] == "m":
                    invocation.delete(word)
        case _:
            invocation.unknown(f"does not know the subcommand {command}")
