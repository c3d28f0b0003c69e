"""Reads a text by the grammar of bash.

Grammar: POSIX.1-2024 XCU chapter 2 and the bash reference manual, 3.1 to 3.5, for a shell that
is not interactive: no aliases, no history, no extended globs. A text that this reader is not
sure of gives a `Script` with `problems`; what follows the doubtful place is then cut at
everything that could separate commands, so that each of them is still judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice

from supervisor.effects.shell.syntax import (
    Arithmetic,
    Assignment,
    Calculation,
    Case,
    Chain,
    Choice,
    Command,
    Coprocess,
    Document,
    Function,
    Group,
    Literal,
    Loop,
    Parameter,
    Part,
    Pipeline,
    Quoted,
    Raw,
    Redirect,
    Redirected,
    Script,
    Simple,
    Substitution,
    Test,
)

UNPLACED = -1  # among the starts: programs whose place in the text is not known
MAX_TEXT = 65_536  # characters
MAX_COMMANDS = 500
MAX_WORDS = 5_000  # and variables
MAX_DEPTH = 60
_MAX_PARTS = 2_000  # of one word
_MAX_PIECES = 300  # distinct ones of a text that is cut
_MAX_CUT = 300_000  # characters of a text that is cut; of a longer one its begin and its end
_MAX_DOCUMENTS = 64  # here-documents that wait for one newline
_MAX_OPERANDS = 1_000  # of a [[ … ]]

_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_SPACE = re.compile(r"[ \t\n]*")
_PLAIN = re.compile(r"[A-Za-z0-9_./:,@%+^-][A-Za-z0-9_./:,@%+^=-]*(?=[ \t\n|&;)<>]|\Z)")
_ORDINARY = re.compile(r"[^ \t\n|&;()<>$`\"'\\*?\[{]+")
_IN_QUOTES = re.compile(r"[^\"$`\\]+")
_IN_BRACES = re.compile(r"[^}\"$`\\'<>(){*?\[~]+")
_IN_BODY = re.compile(r"[^$`\\]+")
_RESERVED = re.compile(
    r"(?:if|then|else|elif|fi|do|done|case|esac|while|until|for|select|function|coproc|time"
    r"|[{}!]|\[\[)(?=[ \t\n|&;()<>]|\Z)"
)
_WORDS_RESERVED = frozenset(
    {"if", "then", "else", "elif", "fi", "do", "done", "case", "esac", "while", "until", "for"}
    | {"select", "function", "coproc", "time", "{", "}", "!", "[["}
)
_REDIRECT = re.compile(
    r"(?:\d+|\{[A-Za-z_]\w*\})?(<<<|<<-|<<|<>|<&|>>|>\||>&|<(?!\()|>(?!\())|(&>>|&>)"
)
_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\[[\w@*$\"-]*\])?(\+?)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]|[@*#?$!-]")
_BRACED = re.compile(r"([#!]?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(\[(?:[\w@*]+|\$\w+)\])?")
_OPERATOR = re.compile(r":[-=?+]|[-=?+]|##?|%%?|//?|\^\^?|,,?|:|@")
_NO_SUM = re.compile(r"[\w.]\s+[\w.]")  # two values with nothing between them
_CALCULABLE = re.compile(r"[\sA-Za-z0-9_+\-*/%<>=!&|^~?:,#()\[\].\"]*")
_WORD_END = re.compile(r"[ \t\n|&;()<>]|\Z")
_DECLARING = frozenset({"declare", "typeset", "local", "export", "readonly"})
_ANSI = re.compile(
    r"\\(?:([abeEfnrtv\\'\"?])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})"
    r"|U([0-9A-Fa-f]{1,8})|c(.))",
    re.DOTALL,
)
_ANSI_NAMED = {
    "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t",
    "v": "\v", "\\": "\\", "'": "'", '"': '"', "?": "?",
}  # fmt: skip
_OPTION_NEXT = re.compile(r"[ \t]+-(?!p\s)")
_IN = re.compile(r"in(?=[ \t\n;\\]|\Z)")
_NEXT_CASE = re.compile(r";;&|;;|;&")
_COPROCESS = re.compile(r"[A-Za-z_]\w*[ \t]+(?=[{(])")
_TEST_END = re.compile(r"\]\](?=[ \t\n|&;()<>]|\Z)")
_TEST_OPERATOR = re.compile(r"&&|\|\||[()<>](?!\()")
_CUT = re.compile(r"[\n;&|(){}`]+|(?<![\w/.-])(?:then|do|else|elif|if|while|until|time|!)(?=\s)")


First = Callable[[str], bool]


class Doubt(Exception):
    """The text is not what this reader is sure of; the message says why."""


class TooMuch(Exception):
    """The text goes beyond a limit; the message says which."""


def parse(text: str, first: First = lambda word: False) -> Script:
    """Read `text`, which holds no control characters. Never raises for what stands in it.

    `first` says of a piece's first word whether the piece is to be judged before others, where
    not all can be.
    """
    parser = _Parser(text, first)
    try:
        if len(text) > MAX_TEXT:
            raise TooMuch("is longer than is read")
        return parser.whole()
    except TooMuch as limit:
        reason = str(limit)
    except RecursionError:
        reason = "is nested deeper than is read"
    return in_pieces(text, reason, first)


def in_pieces(text: str, reason: str, first: First) -> Script:
    """A text that goes beyond a limit: what could be commands in it."""
    return Script(tuple(_Parser(text, first).pieces(0)), (reason,), excessive=True)


def cut(text: str, first: First) -> Iterable[str]:
    """What could be simple commands in `text`; those with rare first words before others."""
    if len(text) > _MAX_CUT:
        text = text[: _MAX_CUT * 2 // 3] + "\n" + text[-_MAX_CUT // 3 :]
    families: dict[str, list[str]] = {}
    for piece in dict.fromkeys(_CUT.split(text)):
        stripped = piece.strip()
        if stripped:
            families.setdefault(stripped[:40].split()[0], []).append(stripped)
    ordered = sorted(families, key=lambda word: (not first(word), len(families[word])))
    pieces = (piece for rank in range(_MAX_PIECES) for piece in _ranked(families, ordered, rank))
    return islice(pieces, _MAX_PIECES)


def _ranked(families: dict[str, list[str]], ordered: list[str], rank: int) -> list[str]:
    return [families[word][rank] for word in ordered if rank < len(families[word])]


class _Parser:
    def __init__(self, text: str, first: First = lambda word: False) -> None:
        self.text = text
        self.first = first
        self.at = 0
        self.depth = 0
        self.count = 0
        self.words = 0
        self.starts: list[int] = []
        self.foreign = False  # inside text whose positions are not those of `text`
        self.timed = False  # after `time`, which the other grammar takes for a program
        self.problems: list[str] = []
        # Here-documents whose lines come after the next newline: delimiter, literal, tabs.
        self.pending: list[tuple[str, bool, bool, Document]] = []

    # ── Lists ───────────────────────────────────────────────────────────────────────────

    def whole(self) -> Script:
        commands: list[Command] = []
        while True:
            start = self.at
            try:
                self.separators()
                if self.at >= len(self.text):
                    if self.pending:
                        raise Doubt("a here-document without its lines")
                    break
                start = self.at
                commands.append(self.chain())
                self.terminator("")
            except Doubt as doubt:
                commands += self.pieces(start)
                self.problems.append(str(doubt))
                break
        return Script(tuple(commands), tuple(self.problems), tuple(self.starts))

    def pieces(self, start: int) -> list[Command]:
        """What could be commands in the text from `start` on."""
        found: list[Command] = []
        for piece in cut(self.text[start:], self.first):
            parser = _Parser(piece)
            parser.foreign = True
            try:
                command = parser.simple()
                complete = parser.at >= len(piece)
            except (Doubt, TooMuch, RecursionError):
                complete = False
            if not complete:
                plain = [word.strip("\"'\\") for word in piece.split()[:64]]
                words = tuple(Raw((Literal(w, True),), w, 0) for w in plain if w)
                command = Simple((), words, (), piece)
            found.append(command)
        return found

    def inner(self, closing: tuple[str, ...]) -> Script:
        """A list up to one of `closing`, which is not consumed."""
        self.deeper()
        commands: list[Command] = []
        self.separators()
        while not self.closes(closing):
            if self.at >= len(self.text):
                raise Doubt(f"an end without {closing[0]}")
            commands.append(self.chain())
            if not self.terminator(closing):
                break
            self.separators()
        if not self.closes(closing):
            raise Doubt(f"something that is not {closing[0]}")
        self.depth -= 1
        return Script(tuple(commands))

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooMuch("is nested deeper than is read")

    def closes(self, closing: tuple[str, ...]) -> bool:
        return any(
            self.text.startswith(end, self.at) and (end[0] in ");" or self.reserved() == end)
            for end in closing
        )

    def blanks(self) -> None:
        match = _BLANKS.match(self.text, self.at)
        self.at = match.end() if match else self.at
        if self.text.startswith("#", self.at):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end

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

    def terminator(self, closing: tuple[str, ...] | str) -> bool:
        """What ends a chain. Returns whether another one may follow."""
        self.blanks()
        text = self.text
        if self.at >= len(text):
            return True
        if text[self.at] == "\n":
            self.newline()
            return True
        if text[self.at] in ";&" and not text.startswith((";;", ";&", "&&"), self.at):
            self.at += 1
            self.blanks()
            return True
        if closing and self.closes(tuple(closing)):
            return False
        raise Doubt(f"an unexpected {text[self.at]}")

    def chain(self) -> Command:
        first = self.pipeline()
        rest: list[tuple[str, Command]] = []
        while True:
            self.blanks()
            operator = self.text[self.at : self.at + 2]
            if operator not in {"&&", "||"}:
                break
            self.at += 2
            self.separators()
            rest.append((operator, self.pipeline()))
        background = self.text.startswith("&", self.at)
        return Chain(first, tuple(rest), background) if rest or background else first

    def pipeline(self) -> Command:
        while (word := self.reserved()) in {"!", "time"}:
            self.at += len(word)
            self.blanks()
            if word == "time":
                self.timed = True
                if self.text.startswith("-p", self.at):
                    self.at += 2
                    self.blanks()
        commands = [self.command()]
        while True:
            self.blanks()
            if not self.text.startswith("|", self.at) or self.text.startswith("||", self.at):
                break
            self.at += 2 if self.text.startswith("|&", self.at) else 1
            self.separators()
            commands.append(self.command())
        return commands[0] if len(commands) == 1 else Pipeline(tuple(commands))

    def reserved(self) -> str:
        match = _RESERVED.match(self.text, self.at)
        if match is None:
            return ""
        if match[0] == "time" and _OPTION_NEXT.match(self.text, match.end()):
            return ""  # `time -f …` is meant for the program of that name
        return match[0]

    # ── Commands ────────────────────────────────────────────────────────────────────────

    def command(self) -> Command:
        word = self.reserved()
        if word == "coproc":
            return self.coprocess()
        if word or self.text.startswith("(", self.at):
            self.timed = False
        compound = self.compound(word)
        if compound is not None:
            redirects: list[Redirect] = []
            while (redirect := self.redirect()) is not None:
                redirects.append(redirect)
            if redirects:
                return Redirected(compound, tuple(redirects))
            return compound
        if word:
            raise Doubt(f"an unexpected {word}")
        return self.simple()

    def compound(self, word: str) -> Command | None:
        text = self.text
        if text.startswith("((", self.at):
            mark = self.at
            self.at += 2
            found = self.arithmetic(quoted=False)
            if found is not None:
                return Calculation(found, self.nested(mark + 2, self.at - 2))
            self.at = mark
        if text.startswith("(", self.at):
            self.at += 1
            body = self.inner((")",))
            self.at += 1
            return Group(body, subshell=True)
        if not word or word in {"!", "time", "coproc"}:
            return None
        self.count_one()
        match word:
            case "{":
                self.at += 1
                body = self.inner(("}",))
                self.at += 1
                return Group(body, subshell=False)
            case "if":
                return self.choice()
            case "while" | "until":
                self.at += 5
                condition = self.inner(("do",))
                return Loop("", None, condition, self.done())
            case "for" | "select":
                return self.loop(len(word))
            case "case":
                return self.case()
            case "function":
                self.at += 8
                self.blanks()
                return self.function(self.name())
            case "[[":
                return self.test()
            case _:
                return None

    def nested(self, start: int, end: int) -> Script | None:
        """What stands in `((…))`, read as commands; None where it is none."""
        inner = _Parser(self.text[start:end])
        inner.depth, inner.count, inner.words = self.depth + 1, self.count, self.words
        script = inner.whole()
        return None if script.problems else script

    def done(self) -> Script:
        """`do … done`."""
        self.expect("do")
        body = self.inner(("done",))
        self.expect("done")
        return body

    def expect(self, word: str) -> None:
        if self.reserved() != word:
            raise Doubt(f"something that is not {word}")
        self.at += len(word)

    def choice(self) -> Choice:
        branches: list[tuple[Script | None, Script]] = []
        self.at += 2
        while True:
            condition = self.inner(("then",))
            self.expect("then")
            body = self.inner(("elif", "else", "fi"))
            branches.append((condition, body))
            word = self.reserved()
            self.at += len(word)
            if word == "else":
                branches.append((None, self.inner(("fi",))))
                self.expect("fi")
            if word != "elif":
                return Choice(tuple(branches))

    def loop(self, length: int) -> Loop:
        self.at += length
        self.blanks()
        if self.text.startswith("((", self.at):
            self.at += 2
            head = self.arithmetic(quoted=False, semicolons=True)
            if head is None:
                raise Doubt("a loop's head that is no arithmetic")
            self.ended()
            return Loop("", None, None, self.done_or_group(), head)
        variable = self.name()
        self.ended()
        words: list[Raw] | None = None
        if _IN.match(self.text, self.at):
            self.at += 2
            words = []
            while True:
                self.blanks()
                if self.at >= len(self.text) or self.text[self.at] in "\n;|&()":
                    break
                words.append(self.word())
            self.ended()
        return Loop(variable, None if words is None else tuple(words), None, self.done_or_group())

    def ended(self) -> None:
        self.blanks()
        if self.text.startswith(";", self.at) and not self.text.startswith(";;", self.at):
            self.at += 1
        self.separators()

    def done_or_group(self) -> Script:
        if self.reserved() == "{":
            self.at += 1
            body = self.inner(("}",))
            self.at += 1
            return body
        return self.done()

    def case(self) -> Case:
        self.at += 4
        self.blanks()
        word = self.word()
        self.separators()
        if not _IN.match(self.text, self.at):
            raise Doubt("a case without in")
        self.at += 2
        branches: list[tuple[tuple[Raw, ...], Script]] = []
        while True:
            self.separators()
            if self.reserved() == "esac":
                self.at += 4
                return Case(word, tuple(branches))
            if self.text.startswith("(", self.at):
                self.at += 1
            patterns: list[Raw] = []
            while True:
                self.blanks()
                patterns.append(self.word())
                self.blanks()
                if not self.text.startswith("|", self.at):
                    break
                self.at += 1
            if not self.text.startswith(")", self.at):
                raise Doubt("a pattern without )")
            self.at += 1
            body = self.inner((";;", ";&", "esac"))
            branches.append((tuple(patterns), body))
            match = _NEXT_CASE.match(self.text, self.at)
            if match:
                self.at = match.end()

    def name(self) -> str:
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise Doubt("a name that is none")
        self.at = match.end()
        return match[0]

    def function(self, name: str) -> Function:
        self.blanks()
        if self.text.startswith("(", self.at):
            self.at += 1
            self.blanks()
            if not self.text.startswith(")", self.at):
                raise Doubt("an unexpected (")
            self.at += 1
        self.separators()
        self.deeper()
        body = self.command()
        self.depth -= 1
        if isinstance(body, Simple | Coprocess | Function):
            raise Doubt("a function without a body")
        return Function(name, body)

    def coprocess(self) -> Command:
        if self.depth:
            # Bash prints the inside of a substitution anew, and runs one there by its name.
            raise Doubt("a coprocess inside something else")
        self.at += 6
        self.blanks()
        named = _COPROCESS.match(self.text, self.at)
        if named:
            self.at = named.end()
        self.deeper()
        command = self.command()
        self.depth -= 1
        return Coprocess(command)

    def test(self) -> Test:
        self.at += 2
        words: list[Raw] = []
        while True:
            self.separators()
            text = self.text
            if self.at >= len(text) or len(words) > _MAX_OPERANDS:
                raise Doubt("an end without ]]")
            if _TEST_END.match(text, self.at):
                self.at += 2
                return Test(tuple(words))
            after = words[-1].source if words else ""
            operator = None if after == "=~" else _TEST_OPERATOR.match(text, self.at)
            if operator:
                self.at = operator.end()
                words.append(Raw((Literal(operator[0], False),), operator[0], operator.start()))
                continue
            words.append(self.word(pattern=after in {"=~", "==", "=", "!="}))

    def count_one(self) -> None:
        self.count += 1
        if self.count > MAX_COMMANDS:
            raise TooMuch("has more commands than are read")

    def count_word(self) -> None:
        self.words += 1
        if self.words > MAX_WORDS:
            raise TooMuch("has more words than are read")

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
        inner = _Parser(body)
        inner.depth, inner.count, inner.words = self.depth, self.count, self.words
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

    # ── Words ───────────────────────────────────────────────────────────────────────────

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
        inner = _Parser(inside)
        inner.depth, inner.count, inner.words = self.depth, self.count, self.words
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


def _odd(line: str) -> bool:
    """Whether `line` ends in a backslash that is not itself escaped."""
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


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
