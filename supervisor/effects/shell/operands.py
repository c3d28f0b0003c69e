"""Which arguments of well-known programs are files that are written or deleted.

Files that are only read need no table: any argument naming an existing file counts as read.
"""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.shell.lexer import Word
from supervisor.model import Verb

_READS = frozenset(
    {"cat", "head", "tail", "less", "more", "wc", "sort", "xxd", "od", "base64", "strings", "tac"}
)
_DELETES = frozenset({"rm", "rmdir", "unlink", "shred"})
_WRITES = frozenset({"touch", "tee", "mkdir", "truncate", "mkfifo"})
_MODES = frozenset({"chmod", "chown", "chgrp"})  # first operand is the mode or the owner
_COPIES = frozenset({"cp", "install", "ln", "rsync", "scp"})

# Options of these programs that take a separate value.
_VALUED: dict[str, frozenset[str]] = {
    "truncate": frozenset({"-s", "--size", "-r", "--reference"}),
    "touch": frozenset({"-d", "--date", "-r", "--reference", "-t"}),
    "mkdir": frozenset({"-m", "--mode"}),
    "install": frozenset({"-m", "--mode", "-o", "-g"}),
    "cp": frozenset({"-S", "--suffix"}),
    "mv": frozenset({"-S", "--suffix"}),
    "head": frozenset({"-n", "-c", "--lines", "--bytes"}),
    "tail": frozenset({"-n", "-c", "--lines", "--bytes"}),
    "shred": frozenset({"-n", "-s"}),
    "rsync": frozenset({"-e", "--rsh", "--exclude", "--include", "-f", "--filter"}),
    "sort": frozenset({"-k", "-t", "-S", "-T"}),
}
_OUTPUT: dict[str, frozenset[str]] = {
    "curl": frozenset({"-o", "--output", "-D", "--dump-header", "-c", "--cookie-jar"}),
    "wget": frozenset({"-O", "--output-document", "-o", "--output-file"}),
    "sort": frozenset({"-o", "--output"}),
    "gcc": frozenset({"-o"}),
    "cc": frozenset({"-o"}),
    "clang": frozenset({"-o"}),
}


def file_operands(program: str, words: Sequence[Word]) -> list[tuple[Verb, Word]]:
    """The files that `program` reads, writes or deletes by being given `words`."""
    found: list[tuple[Verb, Word]] = []
    if program in _OUTPUT:
        found += [(Verb.WRITE, word) for word in _values(words, _OUTPUT[program])]
    if program == "dd":
        for word in words:
            key, _, value = word.text.partition("=")
            if key in {"if", "of"} and value:
                verb = Verb.READ if key == "if" else Verb.WRITE
                found.append((verb, Word(value, word.exact, word.glob)))
        return found
    operands = _operands(program, words)
    if program in _DELETES:
        found += [(Verb.DELETE, word) for word in operands]
    elif program in _WRITES:
        found += [(Verb.WRITE, word) for word in operands]
    elif program in _MODES:
        found += [(Verb.WRITE, word) for word in operands[1:]]
    elif program in _READS:
        found += [(Verb.READ, word) for word in operands if word.text != "-"]
    elif program == "mv" or program in _COPIES:
        targets = _values(words, frozenset({"-t", "--target-directory"}))
        sources = operands if targets else operands[:-1]
        if program == "mv":
            found += [(Verb.DELETE, word) for word in sources]
        found += [(Verb.READ, word) for word in sources if ":" not in word.text]
        found += [(Verb.WRITE, word) for word in targets or operands[-1:] if ":" not in word.text]
    elif program in {"sed", "gsed", "perl"} and _in_place(words):
        found += [(Verb.WRITE, word) for word in operands[1:] or operands]
    return found


def _in_place(words: Sequence[Word]) -> bool:
    return any(
        w.text.startswith("--in-place")
        or (w.text[:1] == "-" and w.text[1:2] != "-" and "i" in w.text)
        for w in words
    )


def _values(words: Sequence[Word], options: frozenset[str]) -> list[Word]:
    """Values of `options`, written `-o value`, `-ovalue` or `--output=value`."""
    found: list[Word] = []
    for index, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        if word.text in options and index + 1 < len(words):
            found.append(words[index + 1])
        elif equals and name in options:
            found.append(Word(value, word.exact, word.glob))
        elif word.text[:2] in options and word.text[1:2] != "-" and len(word.text) > 2:
            found.append(Word(word.text[2:], word.exact, word.glob))
    return found


def _operands(program: str, words: Sequence[Word]) -> list[Word]:
    """Arguments that are not options nor values of options."""
    valued = _VALUED.get(program, frozenset()) | frozenset({"-t", "--target-directory"})
    if program not in _COPIES and program not in {"mv", "touch", "sort"}:
        valued -= frozenset({"-t", "--target-directory"})
    operands: list[Word] = []
    index, ended = 0, False
    while index < len(words):
        word = words[index]
        if not ended and word.text == "--":
            ended = True
        elif not ended and word.text.startswith("-") and len(word.text) > 1:
            index += word.text in valued
        else:
            operands.append(word)
        index += 1
    return operands
