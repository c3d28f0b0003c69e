"""Reads words: quotes, expansions and arithmetic (XCU 2.2, 2.3, 2.6; bash 3.1.2, 3.5)."""

from __future__ import annotations

import re

from supervisor.effects.shell.scanner import (
    MAX_DEPTH,
    UNPLACED,
    Doubt,
    Scanner,
    TooMuch,
)
from supervisor.effects.shell.syntax import (
    Arithmetic,
    Literal,
    Parameter,
    Part,
    Quoted,
    Raw,
    Script,
    Substitution,
)

_MAX_PARTS = 2_000  # of one word

_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+^-][A-Za-z0-9_./:,@%+^=-]*(?=[ \t\n|&;)<>]|\Z)")
_ORDINARY = re.compile(r"[^ \t\n|&;()<>$`\"'\\*?\[{]+")
_IN_QUOTES = re.compile(r"[^\"$`\\]+")
_IN_BRACES = re.compile(r"[^}\"$`\\'<>(){*?\[~]+")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!-]")
_BRACED = re.compile(r"([#!]?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(\[(?:[\w@*]+|\$\w+)\])?")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//?|\^\^?|,,?|:|@")
_NO_SUM = re.compile(r"[\w.]\s+[\w.]")  # two values with nothing between them
_CALCULABLE = re.compile(r"[\sA-Za-z0-9_+\-*/%<>=!&|^~?:,#()\[\].\"]*")
_ANSI = re.compile(
    r"\\(?:([abeEfnrtv\\'\"?])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})"
    r"|U([0-9A-Fa-f]{1,8})|c(.))",
    re.DOTALL,
)
_ANSI_NAMED = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
    "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip


class WordGrammar(Scanner):
    """Reads a word; what is substituted in it is read by the layers above."""

    def word(self, *, pattern: bool = False) -> Raw:
        """A word that begins here. `pattern`: an operand of `[[`, where ( and | may stand."""
        text = self.text
        start = self.at
        self.count_word()
        plain = _PLAIN.match(text, start)
        if plain is not None:
            self.at = plain.end()
            return Raw((Literal(plain[0], False),), plain[0], start)
        parts: list[Part] = []
        special = text.startswith("~", start)
        size = len(text)
        nested = 0
        while self.at < size:
            if len(parts) > _MAX_PARTS:
                raise TooMuch("has a word of more parts than are read")
            match = _ORDINARY.match(text, self.at)
            if match is not None:
                self.at = match.end()
                parts.append(Literal(match[0], False))
                continue
            char = text[self.at]
            if char in "<>" and text.startswith("(", self.at + 1):
                self.at += 2
                parts.append(self.substitution(char + "(", quoted=False))
            elif char in " \t\n|&;()<>":
                if pattern and (char in "(|" or (nested and char != "\n")):
                    nested += (char == "(") - (char == ")")
                    self.at += 1
                    parts.append(Literal(char, True))
                    continue
                if char == "(" and parts and not (len(parts) == 1 and _is_name(parts[0])):
                    raise Doubt("an unexpected (")
                break
            elif char in "*?[{":
                self.at += 1
                parts.append(Literal(char, False))
                special = True
            else:
                found = self.piece(char)
                if found is not None:
                    parts.append(found)
        if self.at == start:
            raise Doubt(f"an unexpected {text[start : start + 1] or 'end'}")
        special = special or any(
            isinstance(part, Literal) and not part.quoted and "~" in part.text for part in parts
        )
        return Raw(_joined(parts), text[start : self.at], start, special)

    def piece(self, char: str) -> Part | None:
        """A quoted or expanded part of a word; None for a continued line."""
        text = self.text
        if char == "\\":
            following = text[self.at + 1 : self.at + 2]
            self.at += 2
            if following == "\n":
                return None
            return Literal(following or "\\", True)
        if char == "'":
            end = text.find("'", self.at + 1)
            if end < 0:
                raise Doubt("a ' without its end")
            found = Literal(text[self.at + 1 : end], True)
            self.at = end + 1
            return found
        if char == '"':
            self.at += 1
            return self.double()
        if char == "`":
            return self.backticks(quoted=False)
        if text.startswith("$'", self.at):
            return self.ansi()
        if text.startswith('$"', self.at):
            self.at += 2
            return self.double()
        return self.dollar(quoted=False)

    def double(self) -> Part:
        """The inside of double quotes."""
        parts = self.expanded(_IN_QUOTES, '"')
        self.at += 1
        if len(parts) == 1 and isinstance(parts[0], Literal):
            return parts[0]
        return Quoted(parts) if parts else Literal("", True)

    def expanded(self, ordinary: re.Pattern[str], closing: str) -> tuple[Part, ...]:
        """Text in which only `$`, backticks and some backslashes count, up to `closing`."""
        text = self.text
        parts: list[Part] = []
        while True:
            match = ordinary.match(text, self.at)
            if match is not None:
                parts.append(Literal(match[0], True))
                self.at = match.end()
            if self.at >= len(text):
                if closing:
                    raise Doubt(f"a {closing} without its end")
                break
            char = text[self.at]
            if closing and char == closing:
                break
            if char == "\\":
                following = text[self.at + 1 : self.at + 2]
                self.at += 2
                if following and following in "$`\\" + closing:
                    parts.append(Literal(following, True))
                elif following != "\n":
                    parts.append(Literal("\\" + following, True))
            elif char == "`":
                parts.append(self.backticks(quoted=True))
            else:
                parts.append(self.dollar(quoted=True))
        return _joined(parts)

    def ansi(self) -> Part:
        """`$'…'`."""
        at = self.at + 2
        text = self.text
        while at < len(text) and text[at] != "'":
            at += 2 if text[at] == "\\" else 1
        if at >= len(text):
            raise Doubt("a ' without its end")
        inside = text[self.at + 2 : at]
        self.at = at + 1
        plain = _ANSI.sub(_unescaped, inside)
        if "\0" in plain:
            raise Doubt("a NUL in a word")
        return Literal(plain, True)

    def backticks(self, *, quoted: bool) -> Part:
        self.count_one()
        text = self.text
        at = self.at + 1
        while at < len(text) and text[at] != "`":
            at += 2 if text[at] == "\\" else 1
        if at >= len(text):
            raise Doubt("a ` without its end")
        inside = text[self.at + 1 : at]
        start, self.at = self.at + 1, at + 1
        escaped = "\\" in inside
        if escaped:
            inside = re.sub(r'\\([$`\\"])' if quoted else r"\\([$`\\])", r"\1", inside)
        inner = self.apart(inside)
        inner.foreign = self.foreign or escaped
        inner.deeper()
        script = inner.whole()
        self.count, self.words = inner.count, inner.words
        if script.problems:
            raise Doubt(script.problems[0])
        if not self.foreign:
            self.starts += [UNPLACED] if escaped else [start + at for at in inner.starts]
        return Substitution(Script(script.commands), "`", quoted)

    def substitution(self, kind: str, *, quoted: bool) -> Part:
        """`$( … )` and its kin, after the opening."""
        self.count_one()
        pending, self.pending = self.pending, []
        start = self.at
        script = self.inner((")",))
        if self.pending or (pending and "\n" in self.text[start : self.at]):
            raise Doubt("a here-document without its lines")
        self.pending = pending
        self.at += 1
        return Substitution(script, kind, quoted)

    def dollar(self, *, quoted: bool) -> Part:
        self.count_word()
        text = self.text
        if text.startswith("$((", self.at):
            mark = self.at
            self.at += 3
            found = self.arithmetic(quoted=quoted)
            if found is not None:
                return found
            self.at = mark
        if text.startswith("$(", self.at):
            self.at += 2
            return self.substitution("$(", quoted=quoted)
        if text.startswith("${", self.at):
            self.at += 2
            return self.braced(quoted=quoted)
        if text.startswith(("$[", "$\\\n"), self.at):
            raise Doubt("a $ that shells read differently")
        match = _PARAMETER.match(text, self.at + 1)
        if match is None:
            self.at += 1
            return Literal("$", True)
        self.at = match.end()
        return Parameter(match[0], quoted)

    def braced(self, *, quoted: bool) -> Part:
        """`${…}`, after the opening."""
        text = self.text
        if text.startswith("#}", self.at):
            self.at += 2
            return Parameter("#", quoted)
        match = _BRACED.match(text, self.at)
        if match is None:
            raise Doubt("a ${ that is not understood")
        self.at = match.end()
        before, name, subscript = match[1], match[2], match[3] or ""
        if text.startswith("}", self.at):
            self.at += 1
            if before:
                return Parameter(name, quoted, before + "name")
            return Parameter(name, quoted, "[" if subscript else "")
        operator = _OPERATOR.match(text, self.at)
        if before or operator is None or operator[0] == "@":
            raise Doubt("a ${ whose value is run or looked up")
        self.at = operator.end()
        argument = self.argument(quoted=quoted)
        return Parameter(name, quoted, "[" if subscript else operator[0], argument)

    def argument(self, *, quoted: bool) -> tuple[Part, ...]:
        """What stands between an operator and `}`, which is consumed."""
        text = self.text
        parts: list[Part] = []
        self.deeper()
        while True:
            if self.at >= len(text):
                raise Doubt("a ${ without its end")
            match = _IN_BRACES.match(text, self.at)
            if match is not None:
                parts.append(Literal(match[0], quoted))
                self.at = match.end()
                continue
            char = text[self.at]
            if char == "}":
                self.at += 1
                self.depth -= 1
                return _joined(parts)
            if char in "<>" and text.startswith("(", self.at + 1):
                raise Doubt("a ${ with a process in it")
            if char in "<>(){*?[~":
                self.at += 1
                parts.append(Literal(char, quoted))
            elif quoted and char in "'\"":
                raise Doubt("quotes in a quoted ${")
            else:
                found = self.dollar(quoted=True) if quoted and char == "$" else self.piece(char)
                if found is not None:
                    parts.append(found)

    def arithmetic(self, *, quoted: bool, semicolons: bool = False) -> Arithmetic | None:
        """The inside of `((…))`, after the opening; None where it is no arithmetic."""
        text = self.text
        parts: list[Part] = []
        plain: list[str] = []
        level = 0
        while self.at < len(text):
            char = text[self.at]
            if char == "(":
                level += 1
                if level > MAX_DEPTH:
                    raise TooMuch("is nested deeper than is read")
            elif char == ")":
                if level == 0:
                    if not text.startswith("))", self.at):
                        return None
                    self.at += 2
                    inside = "".join(plain)
                    sums = inside.replace(";", ",") if semicolons else inside
                    if not _CALCULABLE.fullmatch(sums) or _NO_SUM.search(sums):
                        raise Doubt("arithmetic that is not understood")
                    return Arithmetic(inside, tuple(parts), quoted)
                level -= 1
            elif char in "$`":
                found = self.dollar(quoted=True) if char == "$" else self.backticks(quoted=True)
                parts.append(found)
                plain.append(" v ")
                continue
            elif char in "'\\":
                raise Doubt("arithmetic that is not understood")
            plain.append(char)
            self.at += 1
        return None


def _is_name(part: Part) -> bool:
    return isinstance(part, Literal) and not part.quoted


def _joined(parts: list[Part]) -> tuple[Part, ...]:
    """`parts` with neighbouring literals of one kind made one."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Literal) and isinstance(last, Literal) and last.quoted == part.quoted:
            joined[-1] = Literal(last.text + part.text, part.quoted)
        else:
            joined.append(part)
    return tuple(joined)


def _unescaped(match: re.Match[str]) -> str:
    """One escape of `$'…'`."""
    named, octal, byte, short, long, control = match.groups()
    if named:
        return _ANSI_NAMED[named]
    if control:
        return chr(ord(control) & 0x1F)
    code = int(octal, 8) & 0xFF if octal else int(byte or short or long, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000 or (code > 127 and (octal or byte)):
        raise Doubt("bytes in a word that are no text")
    return chr(code)
