"""Reads awk: programs that only compute, and what they run, read and write.

Source: POSIX.1-2024 awk and the manual of gawk 5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.follow import file_text
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import resolve
from supervisor.effects.reading import Word

_MAX_TEXT = 65_536
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\\\n|\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\\n])*")
    |(?P<word>@?[A-Za-z_]\w*(?:::\w+)?)
    |(?P<number>\.?\d[\w.]*)
    |(?P<sign>\|&|\|\||&&|>>|[-+*/%^!<>=~]=|!~|\+\+|--|\*\*=?|.)
    |(?P<line>\n)""",
    re.VERBOSE | re.DOTALL,
)
_REGEX = re.compile(r"/(?:\\.|\[\^?\]?(?:\\.|[^\]\n])*\]|[^/\\\n\[])*/")
_OPERAND = re.compile(r"[A-Za-z_]\w*=")
_ENDS = frozenset({";", "}", "\n", ")"})
_STARTS = frozenset({"(", "{", ";", "\n", "="})
_COMPARES = frozenset({"==", "!=", "<=", ">="})
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}


def _tokens(text: str) -> list[str] | None:
    """The tokens of a program without blanks; None where it is not to be read."""
    found: list[str] = []
    position = 0
    while position < len(text):
        if text[position] == "/" and (not found or _before_regex(found[-1])):
            match = _REGEX.match(text, position)
            if match is None:
                return None
            found.append("/regex/")
        else:
            match = _TOKEN.match(text, position)
            if match is None or match[0] == '"':
                return None
            if match.lastgroup != "space":
                found.append(match[0])
        position = match.end()
    return found


def _before_regex(token: str) -> bool:
    """Whether a slash after `token` begins a pattern rather than divides."""
    if token[0].isalnum() or token[0] in '_"$':
        return token in {"print", "printf", "return", "case", "in", "getline"}
    return token not in {")", "]", "++", "--", "/regex/"}


def read_awk(invocation: Invocation, text: str) -> None:
    """Add what the awk program `text` runs, reads and writes by itself."""
    tokens = _tokens(text) if len(text) <= _MAX_TEXT else None
    if tokens is None:
        invocation.opaque("runs a text that is no awk we can read")
        return
    printing = False  # in a print statement, where > is a file
    depth = 0
    for index, sign in enumerate(tokens):
        if sign in {"(", "["}:
            depth += 1
        elif sign in {")", "]"}:
            depth -= 1
        elif sign in {";", "}", "{", "\n"}:
            printing = False
        if sign in {"print", "printf"}:
            printing, depth = True, 0
        elif sign == "system":
            lone = tokens[index + 1 : index + 2] == ["("] and tokens[index + 3 : index + 4] == [")"]
            _script(invocation, tokens[index + 2] if lone else "")
        elif sign == "|&" or sign.startswith("@"):
            invocation.opaque("runs or loads what is only known when it runs")
        elif sign == "|":
            _pipe(invocation, tokens, index)
        elif sign in {">", ">>"} and printing and depth <= 0:
            _file(invocation, _lone(tokens, index + 1), writes=True)
        elif sign == "<" and "getline" in tokens[max(0, index - 2) : index]:
            _file(invocation, tokens[index + 1] if index + 1 < len(tokens) else "", writes=False)
        elif sign in {"ARGV", "ARGC"} and _assigned(tokens, index):
            invocation.opaque("chooses the files that it reads when it runs")


def _pipe(invocation: Invocation, tokens: Sequence[str], index: int) -> None:
    """`"command" | getline`, or `print | "command"`."""
    if tokens[index + 1 : index + 2] == ["getline"]:
        lone = index < 2 or tokens[index - 2] in _STARTS
        _script(invocation, tokens[index - 1] if lone and index else "")
    else:
        _script(invocation, _lone(tokens, index + 1))


def _assigned(tokens: Sequence[str], index: int) -> bool:
    """Whether the variable at `index`, or an element of it, is given a value."""
    end = index + 1
    if tokens[end : end + 1] == ["["]:
        while end < len(tokens) and tokens[end] != "]":
            end += 1
        end += 1
    after = tokens[end] if end < len(tokens) else ""
    return after in {"=", "++", "--"} or (after.endswith("=") and after not in _COMPARES)


def _lone(tokens: Sequence[str], index: int) -> str:
    """The token at `index` where it is all of an expression, else ""."""
    token = tokens[index] if index < len(tokens) else ""
    after = tokens[index + 1] if index + 1 < len(tokens) else "\n"
    return token if after in _ENDS else ""


def _literal(token: str) -> str | None:
    if len(token) < 2 or token[0] != '"':
        return None
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), token[1:-1])


def _script(invocation: Invocation, token: str) -> None:
    text = _literal(token)
    if text is None:
        invocation.opaque("runs a command that is only known when it runs")
    else:
        invocation.script(Word(text))


def _file(invocation: Invocation, token: str, *, writes: bool) -> None:
    path = _literal(token)
    if path is None:
        does = "writes" if writes else "reads"
        invocation.opaque(f"{does} a file that is only known when it runs")
    elif path.startswith("/inet"):
        invocation.opaque("opens a connection")
    elif path != "-":
        (invocation.write if writes else invocation.read)(Word(path))


@reader
def awk_program(invocation: Invocation, words: Sequence[Word]) -> None:
    """`awk PROGRAM FILE…`, or with `-f` the program from a file."""
    given = take(invocation, words)
    texts = [value for option, value in given.options if "-e" in option.names and value]
    files = [value for option, value in given.options if "-f" in option.names and value]
    apply_options(invocation, given, "-e", "-f", "-i")
    operands = list(given.operands)
    if not texts and not files and operands:
        texts.append(operands.pop(0))
    invocation.source = "arguments" if texts else "file"
    for text in texts:
        if text.exact:
            read_awk(invocation, text.text)
        else:
            invocation.opaque("runs a program that is only known when it runs")
    for file in files:
        source = file_text(resolve(file.text, invocation.where.cwd)) if file.exact else None
        invocation.read(file)
        if source is None:
            invocation.opaque(f"runs the program in {file.text}")
        else:
            read_awk(invocation, source)
    loaded = {value.text for option, value in given.options if "-i" in option.names and value}
    if loaded - {"inplace"}:
        invocation.opaque("loads code from another file")
    for operand in operands:
        if operand.text == "-" or (operand.exact and _OPERAND.match(operand.text)):
            continue
        if invocation.read(operand) and loaded:
            invocation.write(operand)
