"""Reads a command line the way a POSIX shell splits it, and says where it could not.

Grammar: POSIX.1-2024 XCU 2.3 (token recognition), 2.2 (quoting), 2.7 (redirection), with
Bash's `|&`, `&>`, `<<<`, `$'…'`, `<(…)`. It splits on `;`, `&&`, `||`, `|`, `|&`, `&` and
newline; substitutions are read as scripts of their own. Whatever it is not sure of makes its
segment `opaque`: it never guesses in the command's favour.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

_MAX_DEPTH = 24
_BLANK = " \t\r"
_OPERATORS = ("&&", "||", "|&", ";;", "&", "|", ";", "\n")
_REDIRECTS = ("<<<", "<<-", "&>>", "<<", "<>", ">>", ">|", ">&", "<&", "&>", "<", ">")
_ANSI = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "e": "\x1b", "a": "\a"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word after quote removal."""

    text: str
    exact: bool = True  # False: contains an expansion whose value is not known here
    glob: bool = False  # contains an unquoted * ? [
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """`op` as written without its file descriptor; `body` is a here-document's."""

    op: str
    target: Word
    body: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """One simple command."""

    words: tuple[Word, ...]
    assignments: tuple[str, ...]  # names set before the program
    redirects: tuple[Redirect, ...]
    nested: tuple[Script, ...]  # command and process substitutions inside it
    text: str  # as written
    after: str  # operator that ends it: "&&", "|", ")", "" at the end, …
    opens: int  # "(" before it
    closes: int  # ")" after it
    opaque: bool


@dataclass(frozen=True, slots=True)
class Script:
    segments: tuple[Segment, ...]
    complete: bool  # False: the text ended inside a quote or a substitution


@dataclass(slots=True)
class _Building:
    start: int
    words: list[Word] = field(default_factory=list)
    assignments: list[str] = field(default_factory=list)
    redirects: list[Redirect] = field(default_factory=list)
    nested: list[Script] = field(default_factory=list)
    opens: int = 0
    opaque: bool = False

    @property
    def empty(self) -> bool:
        return not (self.words or self.assignments or self.redirects or self.nested)


class _Unfinished(Exception):
    """The text ended where more was needed."""


def read(text: str, home: str) -> Script:
    """Split `text`. `home` is what `~` and `$HOME` stand for. Never raises."""
    lexer = _Lexer(text, home, 0)
    return lexer.script("")


class _Lexer:
    def __init__(self, text: str, home: str, depth: int) -> None:
        self.text = text
        self.home = home
        self.depth = depth
        self.at = 0
        self.pending: list[tuple[_Building, str, str, bool]] = []  # here-documents to come

    def script(self, closing: str) -> Script:
        """Read up to the end, or up to and including `closing` (")")."""
        segments: list[Segment] = []
        building = _Building(self.at)
        complete = True
        open_parens = 0
        try:
            while True:
                self._blanks()
                if self.at >= len(self.text):
                    if closing:
                        raise _Unfinished
                    self._finish(segments, building, "", 0)
                    break
                char = self.text[self.at]
                if char == "#" and self._word_may_start():
                    self._comment()
                elif char == ")":
                    self.at += 1
                    if closing and not open_parens:
                        self._finish(segments, building, "", 0)
                        break
                    open_parens -= 1
                    building.opaque = building.opaque or open_parens < 0
                    self._finish(segments, building, ")", 1)
                    building = _Building(self.at)
                elif char == "(":
                    if not building.empty:  # f(), a=(…), extended globs
                        building.opaque = True
                    if self.text.startswith("((", self.at):
                        building.opaque = True
                    building.opens += 1
                    open_parens += 1
                    self.at += 1
                elif redirect := self._redirect_operator():
                    self._redirect(building, redirect)
                elif operator := next(
                    (o for o in _OPERATORS if self.text.startswith(o, self.at)), ""
                ):
                    self._finish(segments, building, operator, 0)
                    self.at += len(operator)
                    if operator == "\n":
                        self._here_documents()
                    building = _Building(self.at)
                else:
                    self._add_word(building)
        except (_Unfinished, RecursionError):
            complete = False
            building.opaque = True
            self.at = len(self.text)
            self._finish(segments, building, "", 0)
        if self.pending:
            complete = False
        return Script(tuple(segments), complete)

    # ── pieces ──────────────────────────────────────────────────────────────────────────

    def _blanks(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in _BLANK:
                self.at += 1
            elif self.text.startswith("\\\n", self.at):
                self.at += 2
            else:
                return

    def _word_may_start(self) -> bool:
        return self.at == 0 or self.text[self.at - 1] in " \t\r\n;&|()"

    def _comment(self) -> None:
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end

    def _finish(
        self, segments: list[Segment], building: _Building, operator: str, closes: int
    ) -> None:
        if building.empty and not building.opens and not building.opaque and not closes:
            if operator and segments and segments[-1].after == ")":
                segments[-1] = replace(segments[-1], after=operator)  # "(…) | next"
            return
        segments.append(
            Segment(
                words=tuple(building.words),
                assignments=tuple(building.assignments),
                redirects=tuple(building.redirects),
                nested=tuple(building.nested),
                text=self.text[building.start : self.at].strip(),
                after=operator,
                opens=building.opens,
                closes=closes,
                opaque=building.opaque,
            )
        )

    def _redirect_operator(self) -> str:
        at = self.at
        while at < len(self.text) and self.text[at].isdigit():
            at += 1
        if at > self.at and not self.text.startswith(("<", ">"), at):
            return ""
        if self.text.startswith(("<(", ">("), self.at):
            return ""
        for operator in _REDIRECTS:
            if self.text.startswith(operator, at):
                return self.text[self.at : at] + operator
        return ""

    def _redirect(self, building: _Building, written: str) -> None:
        self.at += len(written)
        operator = written.lstrip("0123456789")
        self._blanks()
        if self.at >= len(self.text):
            raise _Unfinished
        raw_start = self.at
        target = self._word(building)
        if operator in {"<<", "<<-"}:
            quoted = self.text[raw_start : self.at] != target.text
            self.pending.append((building, operator, target.text, quoted))
            building.redirects.append(Redirect(operator, target))
            # The body follows on the next line: a segment that ends before it is read again.
            self._peek_body(building, operator, target.text, quoted)
            return
        building.redirects.append(Redirect(operator, target))

    def _peek_body(self, building: _Building, operator: str, mark: str, quoted: bool) -> None:
        """Attach the body now; `_here_documents` skips it when the line ends."""
        start = self.text.find("\n", self.at)
        if start < 0:
            building.opaque = True
            return
        if len(self.pending) > 1:
            building.opaque = True  # several bodies on one line: kept apart by nobody here
            return
        body, _ = _body(self.text, start + 1, mark, operator == "<<-")
        building.redirects[-1] = Redirect(operator, building.redirects[-1].target, body)
        if not quoted and ("$(" in body or "`" in body):
            building.nested.extend(_substitutions(body, self.home, self.depth + 1))
            building.opaque = True

    def _here_documents(self) -> None:
        for _building, operator, mark, _quoted in self.pending:
            _text, self.at = _body(self.text, self.at, mark, operator == "<<-")
        self.pending.clear()

    def _add_word(self, building: _Building) -> None:
        start = self.at
        word = self._word(building)
        name, equals, _value = word.text.partition("=")
        bare = self.text[start : start + len(name) + 1] == name + "="
        name = name.removesuffix("+")
        if equals and not building.words and bare and name.isidentifier():
            building.assignments.append(name)
            return
        if self.at == start:
            raise _Unfinished
        building.words.append(word)

    def _word(self, building: _Building) -> Word:
        out: list[str] = []
        exact, glob, quoted = True, False, False
        start = self.at
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if char in " \t\r\n;&|" or (char == "(" and self.at > start):
                if char == "(":
                    building.opaque = True
                break
            if char in "<>" and text.startswith(("<(", ">("), self.at):
                self.at += 2
                building.nested.append(self._inner())
                building.opaque, exact = True, False
            elif char in "()<>":
                break
            elif char == "'":
                end = text.find("'", self.at + 1)
                if end < 0:
                    raise _Unfinished
                out.append(text[self.at + 1 : end])
                self.at, quoted = end + 1, True
            elif char == '"':
                quoted = True
                exact = self._double(building, out) and exact
            elif char == "\\":
                if self.at + 1 >= len(text):
                    raise _Unfinished
                if text[self.at + 1] != "\n":
                    out.append(text[self.at + 1])
                    quoted = True
                self.at += 2
            elif char == "$":
                exact = self._dollar(building, out, in_double=False) and exact
            elif char == "`":
                self._backtick(building)
                exact = False
            else:
                if char in "*?[":
                    glob = True
                if char == "{" and _braces(text, self.at):
                    exact = False
                if char == "~" and self.at == start and not out:
                    follows = text[self.at + 1 : self.at + 2]
                    if follows in {"", "/", " ", "\n", ";", "&", "|", ")", "\t"}:
                        char = self.home
                    else:
                        exact = False
                out.append(char)
                self.at += 1
        return Word("".join(out), exact, glob, quoted)

    def _double(self, building: _Building, out: list[str]) -> bool:
        """Inside "…". Returns whether every part is known."""
        exact = True
        self.at += 1
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if char == '"':
                self.at += 1
                return exact
            if char == "\\" and text[self.at + 1 : self.at + 2] in {"$", "`", '"', "\\", "\n"}:
                if text[self.at + 1] != "\n":
                    out.append(text[self.at + 1])
                self.at += 2
            elif char == "$":
                exact = self._dollar(building, out, in_double=True) and exact
            elif char == "`":
                self._backtick(building)
                exact = False
            else:
                out.append(char)
                self.at += 1
        raise _Unfinished

    def _dollar(self, building: _Building, out: list[str], *, in_double: bool) -> bool:
        """At a `$`. Returns whether its value is known."""
        text, after = self.text, self.text[self.at + 1 : self.at + 2]
        if after == "'" and not in_double:
            return self._ansi(out)
        if after == '"' and not in_double:
            self.at += 1
            return self._double(building, out)
        if text.startswith("$((", self.at):
            end = text.find("))", self.at)
            if end < 0:
                raise _Unfinished
            if any(mark in text[self.at + 3 : end] for mark in ("$(", "`", "[")):
                building.opaque = True
            self.at = end + 2
            return False
        if after == "(":
            self.at += 2
            building.nested.append(self._inner())
            building.opaque = True
            return False
        if after == "{":
            end = text.find("}", self.at)
            if end < 0:
                raise _Unfinished
            name = text[self.at + 2 : end]
            if any(mark in name for mark in ("$", "`", "@", '"', "'", "\\")):
                building.opaque = True
            self.at = end + 1
            return self._variable(name, out)
        end = self.at + 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
        name = text[self.at + 1 : end]
        if name[:1].isdigit():
            name, end = name[:1], self.at + 2
        if not name:
            if after and after in "@*#?-$!":
                self.at += 2
                return False
            out.append("$")
            self.at += 1
            return True
        self.at = end
        return self._variable(name, out)

    def _variable(self, name: str, out: list[str]) -> bool:
        if name == "HOME":
            out.append(self.home)
            return True
        if name == "PWD" and not out:
            out.append(".")  # the reader of paths follows `cd` itself
            return True
        return False

    def _ansi(self, out: list[str]) -> bool:
        """Inside $'…'."""
        self.at += 2
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if char == "'":
                self.at += 1
                return True
            if char == "\\":
                code = text[self.at + 1 : self.at + 2]
                if code not in _ANSI:
                    end = text.find("'", self.at)
                    if end < 0:
                        raise _Unfinished
                    self.at = end + 1
                    return False
                out.append(_ANSI[code])
                self.at += 2
                continue
            out.append(char)
            self.at += 1
        raise _Unfinished

    def _backtick(self, building: _Building) -> None:
        end = self.at + 1
        while end < len(self.text) and self.text[end] != "`":
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise _Unfinished
        inner = self.text[self.at + 1 : end].replace("\\`", "`")
        building.nested.append(_nested(inner, self.home, self.depth + 1))
        building.opaque = True
        self.at = end + 1

    def _inner(self) -> Script:
        """A script up to its closing parenthesis, which is consumed."""
        if self.depth >= _MAX_DEPTH:
            raise _Unfinished
        inner = _Lexer(self.text, self.home, self.depth + 1)
        inner.at = self.at
        script = inner.script(")")
        self.at = inner.at
        if not script.complete:
            raise _Unfinished
        return script


def _nested(text: str, home: str, depth: int) -> Script:
    if depth >= _MAX_DEPTH:
        return Script((), complete=False)
    return _Lexer(text, home, depth).script("")


def _substitutions(body: str, home: str, depth: int) -> list[Script]:
    """Substitutions in an unquoted here-document: read as if it were one double-quoted word."""
    quoted = '"' + body.replace('"', '\\"') + '"'
    return [script for seg in _nested(quoted, home, depth).segments for script in seg.nested]


def _body(text: str, at: int, mark: str, tabs: bool) -> tuple[str, int]:
    """A here-document's body and the position after its closing line."""
    lines: list[str] = []
    while at < len(text):
        end = text.find("\n", at)
        line = text[at:] if end < 0 else text[at:end]
        at = len(text) if end < 0 else end + 1
        bare = line.lstrip("\t") if tabs else line
        if bare == mark:
            break
        lines.append(bare)
    return "\n".join(lines) + "\n" if lines else "", at


def _braces(text: str, at: int) -> bool:
    """Whether the brace at `at` is a brace expansion."""
    end = text.find("}", at)
    inside = text[at + 1 : end] if end > 0 else ""
    return ("," in inside or ".." in inside) and not any(c in inside for c in " \t\n")
