"""Walks through a shell text and has each command judged in the state that it finds."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.environment import loads_code
from supervisor.effects.looking import matches
from supervisor.effects.programs.invocation import run_effect
from supervisor.effects.reading import Feed, Word
from supervisor.effects.shell import builtins, grammar, witness, words
from supervisor.effects.shell.runner import MAX_DEPTH, Around, Exhausted, fetches, is_known
from supervisor.effects.shell.scanner import UNPLACED
from supervisor.effects.shell.simplewalk import SimpleWalker
from supervisor.effects.shell.state import State
from supervisor.effects.shell.syntax import (
    Calculation,
    Case,
    Chain,
    Choice,
    Command,
    Coprocess,
    Function,
    Group,
    Loop,
    Parameter,
    Pipeline,
    Quoted,
    Raw,
    Redirected,
    Script,
    Simple,
    Test,
)
from supervisor.model import Effect, Verb

BUDGET = 3_000  # steps, of a command a few
_LAST_BUDGET = 1_000  # for the pieces of a text that has used it up
_MAX_ROUNDS = 8  # of a loop over known words
_NUMERIC = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})


class Walker(SimpleWalker):
    """Judges the text of one call."""

    # ── Texts ───────────────────────────────────────────────────────────────────────────

    def whole(self, text: str, cwd: str) -> None:
        """Judge the text of a call."""
        start = State(self.place, (cwd,))
        try:
            self.text(text, start.fork(), Around())
            self.remaining()
            return
        except Exhausted:
            reason = "has more in it than is judged"
        except RecursionError:
            reason = "is nested deeper than is read"
        self.unreadable(reason)
        self.functions.clear()
        self.calls.clear()
        self.doubts.clear()
        self.reading.budget = _LAST_BUDGET
        with contextlib.suppress(Exhausted, RecursionError):
            self.list(grammar.in_pieces(text, reason, is_known), start, Around())

    def text(self, text: str, state: State, around: Around) -> None:
        """Judge a text that a shell reads."""
        if around.depth > MAX_DEPTH:
            self.opaque("is nested deeper than is read")
            return
        if fault := malformed(text):
            self.unreadable(fault)
            text = text.encode("utf-8", "replace").decode()
            text = _STRANGE.sub("", text)
        script = grammar.parse(text, is_known)
        reasons = list(script.problems)
        if script.excessive:
            self.unreadable(reasons[0])
            reasons.clear()
        if not script.problems:
            reasons = [witness.contradicts(text, script.starts, UNPLACED)]
        for reason in reasons:
            if reason:
                self.opaque(f"has {reason}" if script.problems else reason)
        outer, self.around = self.around, around
        self.list(script, state, around)
        self.around = outer

    def unreadable(self, why: str) -> None:
        """The text is nothing that anybody would write: it is not allowed without asking."""
        self.opaque(why)
        self.reading.add(Effect(Verb.OTHER, "unreadable command", {"kind": "shell"}))

    def remaining(self) -> None:
        """Judge the functions that were never called: a trap or a program may call them."""
        while self.functions:
            _, (body, state) = self.functions.popitem()
            state.positional = None
            self.command(body, state, Around())

    # ── Lists and compound commands ─────────────────────────────────────────────────────

    def list(self, script: Script, state: State, around: Around) -> None:
        for command in script.commands:
            failed = self.command(command, state, around)
            if failed is not None:
                state.merge(failed)

    def command(self, command: Command, state: State, around: Around) -> State | None:
        """Judge `command`. `state` becomes what holds where it succeeds.

        Returns:
            What holds where it fails, None when that is the same.
        """
        match command:
            case Simple():
                return self.simple(command, state, around)
            case Chain():
                return self.chain(command, state, around)
            case Pipeline():
                self.pipeline(command, state, around)
            case Group():
                self.list(command.body, state.fork() if command.subshell else state, around)
            case Redirected():
                around = self.redirects(command.redirects, state, around)
                self.settle_doubts()
                return self.command(command.command, state, around)
            case Choice():
                self.choice(command, state, around)
            case Loop():
                self.loop(command, state, around)
            case Case():
                self.case(command, state, around)
            case Function():
                self.function(command, state)
            case Test():
                self.test(command, state)
            case Calculation():
                words.calculate(command.value, state, self)
                self.settle_doubts()
                if command.nested is not None and _begins_with_program(command.nested):
                    self.list(command.nested, state.fork(), around)
            case Coprocess():
                self.command(command.command, state.fork(), replace(around, stdin="pipe"))
        self.printed = None
        return None

    def chain(self, chain: Chain, state: State, around: Around) -> State | None:
        if chain.background:
            apart = state.fork()
            self.chain(replace(chain, background=False), apart, around)
            return None
        failed = self.command(chain.first, state, around)
        for operator, command in chain.rest:
            failed = failed or state.fork()
            if operator == "&&":
                later = self.command(command, state, around) or state.fork()
                later.merge(failed)
                failed = later
            else:
                other = failed
                failed = self.command(command, other, around) or other.fork()
                state.merge(other)
        return failed

    def pipeline(self, pipeline: Pipeline, state: State, around: Around) -> None:
        own = state
        for command in pipeline.commands:
            own = state.fork()
            mark = len(self.reading.effects)
            self.names = Feed()
            self.command(command, own, around)
            around = replace(
                around,
                stdin="pipe",
                stdin_text=self.printed or "",
                downloaded=around.downloaded or fetches(self.reading.effects[mark:]),
                feed=self.names,
            )
        state.merge(own)  # some shells run the last one themselves

    def choice(self, choice: Choice, state: State, around: Around) -> None:
        ends: list[State] = []
        for condition, body in choice.branches:
            if condition is None:
                self.list(body, state, around)
                break
            last = condition.commands[-1] if condition.commands else None
            self.list(replace(condition, commands=condition.commands[:-1]), state, around)
            failed = self.command(last, state, around) if last is not None else None
            failed = failed or state.fork()
            self.list(body, state, around)
            ends.append(state.fork())
            state.take(failed)
        for end in ends:
            state.merge(end)

    def loop(self, loop: Loop, state: State, around: Around) -> None:
        before = state.fork()
        if loop.head is not None:
            words.calculate(loop.head, state, self)
            self.settle_doubts()
        values: Sequence[str | None] = (None,)
        if loop.words is not None:
            values = self.values(loop.words, state)
        for value in values:
            entered = state.fork()
            self.round(loop, value, state, around)
            state.merge(entered)
            state.merge(before)
            if value is None and _differ(state, entered):
                self.round(loop, value, state, around)
        state.merge(before)

    def round(self, loop: Loop, value: str | None, state: State, around: Around) -> None:
        self.spend()
        if loop.variable:
            counts = loop.words is not None and all(map(builtins.is_number, loop.words))
            state.assign(loop.variable, value, number=counts)
            if loads_code(loop.variable):
                self.setting(loop.variable, Word(value or "", exact=value is not None), state)
        if loop.condition is not None:
            self.list(loop.condition, state, around)
        self.list(loop.body, state, around)

    def values(self, raws: Sequence[Raw], state: State) -> Sequence[str | None]:
        """What a loop's variable becomes; (None,) when that is not known."""
        found = [word for raw in raws for word in words.fields(raw, state, self)]
        self.settle_doubts()
        values: list[str] = []
        for word in found:
            if not word.exact:
                return (None,)
            values.append(word.text)
            if word.glob:
                for directory in state.directories:
                    pattern = os.path.join(directory, word.text)
                    found_now = matches(pattern, self.reading.looks, _MAX_ROUNDS)
                    prefix = "" if word.text.startswith("/") else directory.rstrip("/") + "/"
                    values += [match.removeprefix(prefix) for match in found_now]
                if self.reading.looks.spent:
                    return (None,)
        return values if len(values) <= 2 * _MAX_ROUNDS else (None,)

    def case(self, case: Case, state: State, around: Around) -> None:
        words.text(case.word, state, self)
        ends: list[State] = []
        for patterns, body in case.branches:
            for pattern in patterns:
                words.text(pattern, state, self)
            self.settle_doubts()
            own = state.fork()
            self.list(body, own, around)
            ends.append(own)
        self.settle_doubts()
        for end in ends:
            state.merge(end)

    def function(self, function: Function, state: State) -> None:
        state.functions[function.name] = (function.body,)
        state.uncertain -= {function.name}
        self.functions[function.name] = (function.body, state.fork())
        if builtins.is_builtin(function.name) or is_known(function.name):
            self.reading.add(
                run_effect(
                    [Word("function"), Word(function.name)],
                    why=f"replaces {function.name} by a function",
                )
            )

    def test(self, test: Test, state: State) -> None:
        for index, raw in enumerate(test.words):
            word = words.text(raw, state, self)
            before = test.words[index - 1].source if index else ""
            after = test.words[index + 1].source if index + 1 < len(test.words) else ""
            if before in _NUMERIC or after in _NUMERIC:
                named = [part.name for part in _parameters(raw)]
                if not all(state.calculable(name) for name in named) or "[" in word.text:
                    self.doubt("calculates with a text that is only known when it runs")
            if before == "-v" and ("[" in word.text or not word.exact):
                self.doubt("looks up a name that is only known when it runs")
        self.settle_doubts()


# ── Small questions ─────────────────────────────────────────────────────────────────────

_STRANGE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def malformed(text: str) -> str:
    """Why `text` is no text of a shell, in words; "" where nothing speaks against it."""
    if _STRANGE.search(text):
        return "has characters in it that are not seen"
    if not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text):
        return "has bytes in it that are no text"
    return ""


def _begins_with_program(script: Script) -> bool:
    """Whether the first word is the name of a program that is known, or a path."""
    first = script.commands[0] if script.commands else None
    while isinstance(first, Chain | Pipeline | Group):
        inner = first.body.commands if isinstance(first, Group) else ()
        if isinstance(first, Chain):
            first = first.first
        elif isinstance(first, Pipeline):
            first = first.commands[0]
        else:
            first = inner[0] if inner else None
    name = first.words[0].literal if isinstance(first, Simple) and first.words else None
    return name is not None and ("/" in name or builtins.is_builtin(name) or is_known(name))


def _differ(one: State, other: State) -> bool:
    return one.variables != other.variables or one.directories != other.directories


def _parameters(raw: Raw) -> list[Parameter]:
    found: list[Parameter] = []
    parts = list(raw.parts)
    while parts:
        part = parts.pop()
        if isinstance(part, Parameter):
            found.append(part)
        elif isinstance(part, Quoted):
            parts += part.parts
    return found
