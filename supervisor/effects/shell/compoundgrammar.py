"""Reads compound commands: groups, choices, loops, functions, tests (XCU 2.9.4; bash 3.2.5)."""

from __future__ import annotations

import re
from abc import abstractmethod

from supervisor.effects.shell.scanner import Doubt
from supervisor.effects.shell.simplegrammar import SimpleGrammar
from supervisor.effects.shell.syntax import (
    Calculation,
    Case,
    Choice,
    Command,
    Coprocess,
    Function,
    Group,
    Literal,
    Loop,
    Raw,
    Script,
    Simple,
    Test,
)

_MAX_OPERANDS = 1_000  # of a [[ … ]]

_RESERVED = re.compile(
    r"(?:if|then|else|elif|fi|do|done|case|esac|while|until|for|select|function|coproc|time"
    r"|[{}!]|\[\[)(?=[ \t\n|&;()<>]|\Z)"
)
_OPTION_NEXT = re.compile(r"[ \t]+-(?!p\s)")
_IN = re.compile(r"in(?=[ \t\n;\\]|\Z)")
_NEXT_CASE = re.compile(r";;&|;;|;&")
_COPROCESS = re.compile(r"[A-Za-z_]\w*[ \t]+(?=[{(])")
_TEST_END = re.compile(r"\]\](?=[ \t\n|&;()<>]|\Z)")
_TEST_OPERATOR = re.compile(r"&&|\|\||[()<>](?!\()")


class CompoundGrammar(SimpleGrammar):
    """Reads one command that holds others."""

    @abstractmethod
    def command(self) -> Command:
        """A command of any kind."""

    def reserved(self) -> str:
        match = _RESERVED.match(self.text, self.at)
        if match is None:
            return ""
        if match[0] == "time" and _OPTION_NEXT.match(self.text, match.end()):
            return ""  # `time -f …` is meant for the program of that name
        return match[0]

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
        inner = self.apart(self.text[start:end])
        inner.depth += 1
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
