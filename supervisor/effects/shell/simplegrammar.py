"""Reads simple commands: assignments, words, redirections, here-documents (XCU 2.7, 2.9.1)."""

from __future__ import annotations

import re
from abc import abstractmethod

from supervisor.effects.shell.scanner import UNPLACED, Doubt, TooMuch
from supervisor.effects.shell.syntax import (
    Arithmetic,
    Assignment,
    Command,
    Document,
    Function,
    Literal,
    Raw,
    Redirect,
    Simple,
    Substitution,
)
from supervisor.effects.shell.wordgrammar import WordGrammar

_MAX_DOCUMENTS = 64  # here-documents that wait for one newline

_IN_BODY = re.compile(r"[^$`\\]+")
_WORDS_RESERVED = frozenset(
    {"if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for"}
    | {"select", "function", "coproc", "time", "{", "}", "!", "[["}
)
_REDIRECT = re.compile(
    r"(?:\d+|\{[A-Za-z_]\w*\})?(<<<|<<-|<<|<>|<&|>>|>\||>&|<(?!\()|>(?!\())|(&>>|&>)"
)
_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[\w@*$\"-]*\])?(\+?)=")
_WORD_END = re.compile(r"[ \t\n|&;()<>]|\Z")
_DECLARING = frozenset({"declare", "typeset", "local", "export", "readonly"})


class SimpleGrammar(WordGrammar):
    """Reads one simple command."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.timed = False  # after `time`, which the other grammar takes for a program

    @abstractmethod
    def function(self, name: str) -> Function:
        """The definition of a function, after its name."""

    def simple(self) -> Command:
        self.count_one()
        start = self.at
        text = self.text
        size = len(text)
        assignments: list[Assignment] = []
        words: list[Raw] = []
        arrays: list[Raw] = []
        redirects: list[Redirect] = []
        begin = end = start
        while True:
            self.blanks()
            if self.at >= size:
                break
            char = text[self.at]
            if char in "\n;|)":
                break
            if char in "<>&0123456789{":
                redirect = self.redirect()
                if redirect is not None:
                    redirects.append(redirect)
                    end = self.at
                    continue
                if char == "&":
                    break
            if char == "(":
                literal = words[0].literal if len(words) == 1 else None
                if literal is None or assignments or redirects:
                    raise Doubt("an unexpected (")
                if begin in self.starts[-1:]:
                    self.starts.pop()
                return self.function(literal)
            if not words or words[0].source in _DECLARING:
                match = _ASSIGN.match(text, self.at)
                if match is not None and (not words or text.startswith("(", match.end())):
                    assignment = self.assignment(match)
                    end = self.at
                    if words:
                        arrays += [Raw((), match[1], match.start()), *assignment.parts]
                    else:
                        assignments.append(assignment)
                    continue
            begin = self.at
            words.append(self.word())
            end = self.at
            if len(words) == 1:
                if "\\\n" in words[0].source and words[0].literal in _WORDS_RESERVED:
                    raise Doubt("a keyword in two lines")
                if not self.foreign and not self.timed:
                    self.starts.append(begin)
                self.timed = False
        if not (words or assignments or redirects):
            raise Doubt(f"an unexpected {text[self.at : self.at + 1] or 'end'}")
        return Simple(
            tuple(assignments), tuple(words), tuple(redirects), text[start:end], tuple(arrays)
        )

    def assignment(self, match: re.Match[str]) -> Assignment:
        self.at = match.end()
        if self.text.startswith("(", self.at):
            self.at += 1
            parts: list[Raw] = []
            while True:
                self.separators()
                if self.text.startswith(")", self.at):
                    self.at += 1
                    if not _WORD_END.match(self.text, self.at):
                        raise Doubt("an array with something behind it")
                    return Assignment(match[1], None, tuple(parts))
                if self.at >= len(self.text) or self.text[self.at] in ";|&(<>":
                    raise Doubt("an array without )")
                parts.append(self.word())
        if self.at < len(self.text) and self.text[self.at] not in " \t\n|&;()<>":
            value = self.word()
        else:
            value = Raw((), "", self.at)
        if match[2] or match[3]:
            return Assignment(match[1], None, (value,))
        return Assignment(match[1], value)

    def redirect(self) -> Redirect | None:
        self.blanks()
        match = _REDIRECT.match(self.text, self.at)
        if match is None:
            return None
        op = match[1] or match[2]
        self.at = match.end()
        self.blanks()
        if self.at >= len(self.text) or self.text[self.at] in "\n|&;()":
            raise Doubt("a redirection without its file")
        if op not in {"<<", "<<-"}:
            return Redirect(op, self.word())
        delimiter = self.word()
        source = delimiter.source
        if any(isinstance(part, Substitution | Arithmetic) for part in delimiter.parts) or (
            "$" in source
        ):
            raise Doubt("a here-document with a strange end")
        literal = any(char in source for char in "'\"\\")
        text = "".join([part.text for part in delimiter.parts if isinstance(part, Literal)])
        if "\n" in text:
            raise Doubt("a here-document with a strange end")
        document = Document()
        if len(self.pending) > _MAX_DOCUMENTS:
            raise TooMuch("has more here-documents than are read")
        self.pending.append((text, literal, op == "<<-", document))
        return Redirect(op, delimiter, document)

    def separators(self) -> None:
        """Blanks, comments and newlines."""
        while True:
            self.blanks()
            if not self.text.startswith("\n", self.at):
                return
            self.newline()

    def newline(self) -> None:
        self.at += 1
        pending, self.pending = self.pending, []
        for document in pending:
            self.document(*document)

    def document(self, delimiter: str, literal: bool, tabs: bool, document: Document) -> None:
        """The lines of a here-document; they begin here."""
        start = self.at
        lines: list[str] = []
        while (line := self.line(tabs)) != delimiter:
            # In a document that is expanded, backslash and newline vanish before the end is
            # looked for.
            while not literal and _odd(line) and self.at < len(self.text):
                line = line[:-1] + self.line(tabs=False)
            if line == delimiter:
                break
            lines.append(line + "\n")
        body = "".join(lines)
        if literal:
            document.text = Raw((Literal(body, True),), body, start)
            return
        inner = self.apart(body)
        inner.foreign = self.foreign or not self.text.startswith(body, start)
        parts = inner.expanded(_IN_BODY, "")
        self.count, self.words = inner.count, inner.words
        document.text = Raw(parts, body, start)
        if inner.foreign and any(not isinstance(part, Literal) for part in parts):
            self.starts.append(UNPLACED)
        self.starts += [start + at for at in inner.starts]

    def line(self, tabs: bool) -> str:
        """The next line, without its newline and with `tabs` without leading tabs."""
        if self.at >= len(self.text):
            raise Doubt("a here-document without its end")
        end = self.text.find("\n", self.at)
        line = self.text[self.at : end if end >= 0 else len(self.text)]
        self.at = end + 1 if end >= 0 else len(self.text)
        return line.lstrip("\t") if tabs else line


def _odd(line: str) -> bool:
    """Whether `line` ends in a backslash that is not itself escaped."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1
