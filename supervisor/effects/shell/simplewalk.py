"""Judges simple commands: their words, redirections, and what the shell does with their name."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.files import Place
from supervisor.effects.programs.feeds import feeds
from supervisor.effects.programs.invocation import path_effects
from supervisor.effects.reading import Feed, Reading, Where, Word
from supervisor.effects.shell import builtins, words
from supervisor.effects.shell.runner import MAX_DEPTH, Around, Runner, fetches
from supervisor.effects.shell.state import State
from supervisor.effects.shell.syntax import (
    Assignment,
    Command,
    Redirect,
    Script,
    Simple,
    Substitution,
)
from supervisor.effects.shell.variables import setting_effect
from supervisor.model import Effect, Verb

_MAX_RECURSION = 2
_NETWORK_FILE = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/([^/]+)")


class SimpleWalker(Runner):
    """Judges one simple command, and what stands in its words. Is the `Judge` of words."""

    def __init__(self, place: Place, reading: Reading) -> None:
        super().__init__(place, reading)
        self.names = Feed()  # the files that the last program names on its output
        self.fetched = False  # a substitution in the words being read fetches
        self.doubts: list[str] = []
        self.calls: list[Command] = []  # the functions that are being judged, innermost last
        self.functions: dict[str, tuple[Command, State]] = {}  # defined and not yet called

    @abstractmethod
    def list(self, script: Script, state: State, around: Around) -> None:
        """Judge commands one after the other."""

    @abstractmethod
    def command(self, command: Command, state: State, around: Around) -> State | None:
        """Judge `command`. `state` becomes what holds where it succeeds.

        Returns:
            What holds where it fails, None when that is the same.
        """

    def simple(self, simple: Simple, state: State, around: Around) -> State | None:
        reading = self.reading
        self.spend()
        self.printed = None
        outer, self.fetched = self.fetched, False
        outer_sinks, self.sinks = self.sinks, []
        outer_around, self.around = self.around, around
        declares = bool(simple.words) and simple.words[0].source in builtins.DECLARING
        found: list[Word] = []
        for raw in simple.words:
            if declares and found and builtins.ASSIGNED.match(raw.source):
                found.append(words.text(raw, state, self, assigned=True))
            else:
                found += words.fields(raw, state, self)
        for raw in simple.arrays:
            words.fields(raw, state, self)
        given = [self.assigned(a, state) for a in simple.assignments]
        fetched = self.fetched
        mark = len(reading.effects)
        if simple.redirects:
            around = self.redirects(simple.redirects, state, around)
            fetched = fetched or self.fetched
        self.settle_doubts()
        self.around = around
        failed = None
        if not found:
            for assignment, (name, value) in zip(simple.assignments, given, strict=True):
                number = builtins.is_number(assignment.value)
                state.assign(name, value.text if value.exact else None, number=number)
                self.setting(name, value, state)
        else:
            for name, value in given:
                if not (name == "IFS" and found[0].text == "read"):
                    self.setting(name, value, state)
            around = replace(
                around,
                environment=tuple((n, v.text) for n, v in given if v.exact),
                vague=frozenset(n for n, v in given if not v.exact),
            )
            failed = self.invoke(found, state, around)
        self.settle_doubts()
        self.afterwards(mark, found, simple.redirects, fetched=fetched)
        self.sinks = outer_sinks
        self.fetched = outer or fetched
        self.around = outer_around
        return failed

    def assigned(self, assignment: Assignment, state: State) -> tuple[str, Word]:
        if assignment.value is None:
            for raw in assignment.parts:
                words.fields(raw, state, self)
            return assignment.name, Word("", exact=False)
        return assignment.name, words.text(assignment.value, state, self, assigned=True)

    def setting(self, name: str, value: Word, state: State) -> None:
        """A variable that later programs get. Some decide which code they load."""
        effect = setting_effect(name, value, state)
        if effect is not None:
            self.reading.add(effect)

    def invoke(self, found: Sequence[Word], state: State, around: Around) -> State | None:
        """Run `found`: a function, a builtin or a program."""
        name = found[0].text if found[0].exact and not found[0].glob else ""
        if name in state.functions:
            certain = name not in state.uncertain
            self.call(name, found, state, around)
            if certain:
                return None
        if builtins.is_builtin(name):
            return builtins.run(self, name, found, state, around)
        if name == "cat" and len(found) == 1 and around.stdin == "text":
            self.printed = around.stdin_text
        self.external(found, state, around)
        return None

    def external(self, found: Sequence[Word], state: State, around: Around) -> None:
        """A program, wherever the shell may stand."""
        given = dict(around.environment)
        environment = {**state.environment, **given}
        vague = (state.vague - given.keys()) | around.vague
        for directory in state.directories or ("",):
            where = Where(
                self.place,
                directory,
                state.path,
                around.stdin,
                around.stdin_text,
                around.downloaded,
                environment,
                around.elsewhere,
                around.depth,
                around.feed,
                vague=vague,
            )
            self.names = feeds(found, where)
            self.program(found, where)

    def call(self, name: str, found: Sequence[Word], state: State, around: Around) -> None:
        """A function of this text."""
        self.spend()
        self.functions.pop(name, None)
        if around.depth >= MAX_DEPTH:
            self.opaque("is nested deeper than is read")
            return
        outer = state.positional
        known = all(word.exact and not word.glob for word in found)
        state.positional = tuple(word.text for word in found[1:]) if known else None
        for body in state.functions[name]:
            if sum(other is body for other in self.calls) >= _MAX_RECURSION:
                self.opaque(f"has a function {name} that calls itself")
                continue
            self.calls.append(body)
            before = state.fork()
            failed = self.command(body, state, replace(around, depth=around.depth + 1))
            if failed is not None:
                state.merge(failed)
            self.calls.pop()
            if len(state.functions.get(name, ())) > 1:
                state.merge(before)
        state.positional = outer

    # ── Redirections ────────────────────────────────────────────────────────────────────

    def redirects(self, redirects: Sequence[Redirect], state: State, around: Around) -> Around:
        for redirect in redirects:
            self.spend(4)
            if redirect.document is not None:
                body = words.text(redirect.document.text, state, self)
                around = replace(
                    around,
                    stdin="text",
                    stdin_text=body.text if body.exact else "",
                    downloaded=self.fetched,
                )
                if not body.exact:
                    around = replace(around, stdin="pipe")
                continue
            target = words.text(redirect.target, state, self)
            if redirect.op == "<<<":
                stdin = "text" if target.exact else "pipe"
                text = target.text + "\n" if target.exact else ""
                around = replace(around, stdin=stdin, stdin_text=text, downloaded=self.fetched)
                continue
            if redirect.op in {">&", "<&"} and re.fullmatch(r"\d*-?", target.text):
                continue
            if target.text.startswith("/dev/fd/"):
                if redirect.op == "<":
                    around = replace(around, stdin="pipe", downloaded=self.fetched)
                continue
            mark = len(self.reading.effects)
            self.redirected(redirect, target, state, around)
            if redirect.op in {"<", "<>"}:
                files = [effect.resource for effect in self.reading.effects[mark:]]
                texts = [self.written[file] for file in files if file in self.written]
                around = replace(
                    around,
                    stdin="text" if texts else "file",
                    stdin_text=texts[0] if texts else "",
                    downloaded=not self.downloads.isdisjoint(files),
                )
        return around

    def redirected(self, redirect: Redirect, target: Word, state: State, around: Around) -> None:
        """A file is opened."""
        if network := _NETWORK_FILE.fullmatch(target.text):
            self.reading.add(Effect(Verb.CONNECT, f"{network[1]}:{network[2]}", {}))
            return
        if around.elsewhere:
            return
        if redirect.target.special:
            target = replace(target, glob=bool(re.search(r"[*?\[]", target.text)))
        verbs = [Verb.WRITE]
        if redirect.op in {"<", "<&"}:
            verbs = [Verb.READ]
        elif redirect.op == "<>":
            verbs = [Verb.READ, Verb.WRITE]
        for verb in verbs:
            for directory in state.directories or ("",):
                found = path_effects(verb, target, Where(self.place, directory), self.reading)
                if found is None:
                    does = "reads" if verb is Verb.READ else "writes"
                    self.doubt(f"{does} a file that is only known when it runs")
                else:
                    self.reading.add(*found)

    # ── What words ask of us ────────────────────────────────────────────────────────────

    def substitute(self, part: Substitution, state: State) -> str | None:
        mark = len(self.reading.effects)
        own = state.fork()
        doubts, self.doubts = self.doubts, []
        printed, self.printed = self.printed, None
        around = replace(self.around, stdin_text="", environment=(), vague=frozenset())
        if part.kind == ">(":
            around = replace(around, stdin="pipe")
        commands = part.script.commands
        self.list(part.script, own, around)
        text = self.printed if len(commands) == 1 and isinstance(commands[0], Simple) else None
        self.printed = printed
        self.doubts = doubts
        self.fetched = self.fetched or fetches(self.reading.effects[mark:])
        if part.kind == ">(":
            self.sinks.append((mark, len(self.reading.effects)))
        if part.kind in {"<(", ">("}:
            return "/dev/fd/63"
        return text.rstrip("\n") if text is not None else None

    def doubt(self, why: str) -> None:
        if why not in self.doubts:
            self.doubts.append(why)

    def settle_doubts(self) -> None:
        for why in self.doubts:
            self.opaque(why)
        self.doubts.clear()
