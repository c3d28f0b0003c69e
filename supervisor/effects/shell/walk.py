"""Walks through a shell text and hands each program it would run to the knowledge of programs."""

from __future__ import annotations

import contextlib
import glob as globbing
import itertools
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from supervisor.effects.environment import loads_code
from supervisor.effects.files import Place, file_effects, within
from supervisor.effects.knowledge import KnowledgeError, knowledge
from supervisor.effects.programs import read_program
from supervisor.effects.programs.invocation import base_name, path_effects, run_effect
from supervisor.effects.programs.wrappers import feeds
from supervisor.effects.reading import Reading, Where, Word
from supervisor.effects.shell import builtins, grammar, witness, words
from supervisor.effects.shell.scanner import UNPLACED
from supervisor.effects.shell.state import State
from supervisor.effects.shell.syntax import (
    Assignment,
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
    Redirect,
    Redirected,
    Script,
    Simple,
    Substitution,
    Test,
)
from supervisor.model import Effect, Verb

_MAX_DEPTH = 16
BUDGET = 3_000  # steps, of a command a few
_LAST_BUDGET = 1_000  # for the pieces of a text that has used it up
_MAX_RECURSION = 2
_MAX_ROUNDS = 8  # of a loop over known words
_MAX_FILE = 65_536  # bytes of a script that is followed
_NETWORK_FILE = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/([^/]+)")
_NAME = re.compile(r"[A-Za-z0-9_@%+=:,./~\[\]!-]+")
_SHEBANG = re.compile(r"#![ \t]*(?:/usr/bin/env[ \t]+(?:-S[ \t]+)?)?(\S*)")
_NUMERIC = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})

# Their output comes from somebody else's machine, however they are told to fetch it.
_FETCHERS = frozenset(
    {"curl", "wget", "wget2", "http", "https", "xh", "aria2c", "fetch", "lynx", "w3m", "nc"}
    | {"ncat", "netcat", "socat", "ftp", "tftp", "links", "elinks", "lwp-request", "GET"}
)
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "rbash"})


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a command: where its input comes from and how deep it stands."""

    stdin: str = ""
    stdin_text: str = ""
    downloaded: bool = False
    elsewhere: bool = False
    depth: int = 0
    environment: tuple[tuple[str, str], ...] = ()  # exact variables a parent gave
    feed: tuple[Word, ...] = ()  # files that the command before names on its output


class Exhausted(Exception):
    """The text has more in it than is judged: loops in loops, functions that call functions."""


class Walker:
    """Judges one call. Is the `Shell` that readers of programs hand things back to."""

    def __init__(self, place: Place, reading: Reading) -> None:
        self.place = place
        self.reading = reading
        self.names: tuple[Word, ...] = ()  # the files that the last program names on its output
        self.printed: str | None = None  # what the last simple command prints, where known
        self.fetched = False  # a substitution in the words being read fetches
        self.sinks: list[tuple[int, int]] = []  # effects of `>(…)`, which is fed by its command
        self.doubts: list[str] = []
        self.around = Around()
        self.written: dict[str, str] = {}  # files whose text this call writes
        self.downloads: set[str] = set()  # files this call fetches
        self.calls: list[Command] = []  # the functions that are being judged, innermost last
        self.functions: dict[str, tuple[Command, State]] = {}  # defined and not yet called

    # ── The Shell that readers know ─────────────────────────────────────────────────────

    def run(self, words: Sequence[Word], where: Where, reading: Reading) -> None:
        if where.depth > _MAX_DEPTH:
            reading.add(run_effect(words, why="is nested deeper than is read"))
            return
        self.program(words, where)

    def script(self, text: Word, where: Where, reading: Reading) -> None:
        if not text.exact:
            self.opaque("runs a text that is only known when it runs")
            return
        state = State(
            self.place,
            (where.cwd,) if where.cwd else (),
            variables=dict(where.variables),
            exported=frozenset(where.variables),
            positional=where.positional,
            path=where.path,
        )
        around = Around(
            stdin=where.stdin if where.stdin == "pipe" else "",
            downloaded=where.downloaded,
            elsewhere=where.elsewhere,
            depth=where.depth + 1,
        )
        self.text(text.text, state, around)

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
            self.list(grammar.in_pieces(text, reason, _is_known), start, Around())

    def text(self, text: str, state: State, around: Around) -> None:
        """Judge a text that a shell reads."""
        if around.depth > _MAX_DEPTH:
            self.opaque("is nested deeper than is read")
            return
        if fault := malformed(text):
            self.unreadable(fault)
            text = text.encode("utf-8", "replace").decode()
            text = _STRANGE.sub("", text)
        script = grammar.parse(text, _is_known)
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

    def spend(self, steps: int = 1) -> None:
        self.reading.budget -= steps
        if self.reading.budget <= 0:
            raise Exhausted

    def unreadable(self, why: str) -> None:
        """The text is nothing that anybody would write: it is not allowed without asking."""
        self.opaque(why)
        self.reading.add(Effect(Verb.OTHER, "unreadable command", {"kind": "shell"}))

    def opaque(self, why: str) -> None:
        """Part of the text cannot be told beforehand; `why` goes on after "the command"."""
        self.reading.add(run_effect([Word("shell")], why=f"the command {why}"))

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
            self.names = ()
            self.command(command, own, around)
            around = replace(
                around,
                stdin="pipe",
                stdin_text=self.printed or "",
                downloaded=around.downloaded or _fetches(self.reading.effects[mark:]),
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
                    matches = itertools.islice(globbing.iglob(pattern), _MAX_ROUNDS)
                    prefix = "" if word.text.startswith("/") else directory.rstrip("/") + "/"
                    values += [match.removeprefix(prefix) for match in matches]
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
        if builtins.is_builtin(function.name) or _is_known(function.name):
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

    # ── Simple commands ─────────────────────────────────────────────────────────────────

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
            around = replace(around, environment=tuple((n, v.text) for n, v in given if v.exact))
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
        effect = builtins.setting_effect(name, value, state)
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
        environment = {**state.environment, **dict(around.environment)}
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
            )
            self.names = feeds(found, where)
            self.program(found, where)

    def call(self, name: str, found: Sequence[Word], state: State, around: Around) -> None:
        """A function of this text."""
        self.spend()
        self.functions.pop(name, None)
        if around.depth >= _MAX_DEPTH:
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

    # ── Programs ────────────────────────────────────────────────────────────────────────

    def program(self, found: Sequence[Word], where: Where) -> None:
        head = found[0]
        if not head.exact or head.glob or not head.text:
            self.reading.add(
                run_effect(found, why="a program whose name is only known when it runs")
            )
            if not head.text and len(found) > 1:
                self.program(found[1:], where)  # the name may turn out to be nothing
            return
        if not _NAME.fullmatch(head.text):
            self.reading.add(
                run_effect(found, known=False, why="a name that no program has in earnest")
            )
            return
        if "/" in head.text and not where.elsewhere and self.own(found, where):
            return
        mark = len(self.reading.effects)
        read_program(found, where, self.reading, self)
        if not self.reading.effects[mark].attributes["known"] and not where.elsewhere:
            self.named_files(found[1:], where)

    def named_files(self, found: Sequence[Word], where: Where) -> None:
        """An existing file that a program nobody knows is given counts as read."""
        for word in found:
            for text in dict.fromkeys((word.text, re.split("[=@]", word.text)[-1])):
                path = os.path.join(where.cwd or "/", text)
                if word.glob or (text and len(text) < 1024 and os.path.lexists(path)):
                    given = replace(word, text=text)
                    effects = path_effects(Verb.READ, given, where, self.reading)
                    self.reading.add(*(effects or ()))

    def own(self, found: Sequence[Word], where: Where) -> bool:
        """A program of the workspace, run by its path. False: it is no such program."""
        path = found[0].text
        if not where.cwd and not path.startswith("/"):
            return False
        joined = os.path.join(where.cwd, path)
        written, real = os.path.normpath(joined), os.path.realpath(joined)
        workspace = self.place.workspace
        if not within(real, workspace) and not (within(written, workspace) and _in_bin(written)):
            if not path.startswith(("/usr/", "/bin/", "/sbin/", "/opt/")):
                self.reading.add(*file_effects(Verb.READ, joined, where.cwd or "/", self.place))
            return False
        mark = len(self.reading.effects)
        name = base_name(path)
        if _in_bin(written) and _is_known(name):
            read_program([replace(found[0], text=name), *found[1:]], where, self.reading, self)
        else:
            self.reading.add(run_effect(found))
            self.named_files(found[1:], where)
        first = self.reading.effects[mark]
        source = "download" if real in self.downloads else first.attributes["source"]
        self.reading.effects[mark] = replace(
            first,
            attributes={
                **first.attributes,
                "argv0": path,
                "act": first.attributes["act"] or "project",
                "source": source,
            },
        )
        self.follow(real, found, where)
        return True

    def follow(self, path: str, found: Sequence[Word], where: Where) -> None:
        """Judge the text of a shell script of the workspace.

        What in it cannot be told is what `project` says already: it is code of the workspace.
        """
        just_written = self.written.get(path)
        text = just_written if just_written is not None else _script_text(path)
        if text is None or where.depth >= 3:
            return
        mark = len(self.reading.effects)
        known = all(word.exact and not word.glob for word in found)
        state = State(
            self.place,
            (where.cwd,) if where.cwd else (),
            variables=dict(where.variables),
            exported=frozenset(where.variables),
            positional=tuple(word.text for word in found[1:]) if known else None,
            path=where.path,
        )
        self.text(text, state, Around(depth=where.depth + 1))
        if just_written is None:
            self.reading.effects[mark:] = [
                effect
                for effect in self.reading.effects[mark:]
                if not (
                    effect.verb is Verb.RUN
                    and (effect.attributes["uninspectable"] or not effect.attributes["known"])
                    and effect.attributes["source"] != "download"
                )
                and effect.verb is not Verb.OTHER
            ]

    def afterwards(
        self, mark: int, found: Sequence[Word], redirects: Sequence[Redirect], *, fetched: bool
    ) -> None:
        """What is known only when the effects of a command are: fetched code, written scripts."""
        effects = self.reading.effects
        if len(effects) == mark:
            return
        fetches = _fetches(effects[mark:]) or self.around.downloaded
        for start, end in self.sinks if fetches or fetched else ():
            for index in range(start, end):
                if effects[index].attributes.get("source") == "input":
                    self.download(index)
        process = any(word.text.startswith("/dev/fd/") for word in found)
        for index in range(mark, len(effects)):
            effect = effects[index]
            if effect.verb is Verb.WRITE:
                if fetches or fetched:
                    self.downloads.add(effect.resource)
                if self.printed is not None and any(r.op == ">" for r in redirects):
                    self.written[effect.resource] = self.printed
            elif effect.verb is Verb.RUN and effect.attributes["source"]:
                self.sourced(index, found, fetched=fetched, process=process)

    def sourced(self, index: int, found: Sequence[Word], *, fetched: bool, process: bool) -> None:
        """An interpreter takes its program from somewhere: is it what was fetched?"""
        effect = self.reading.effects[index]
        source = effect.attributes["source"]
        download = (source == "input" and self.around.downloaded) or (
            fetched and (process or any(not word.exact for word in found))
        )
        texts: list[str] = []
        if source == "file":
            read = [
                other.resource for other in self.reading.effects[index:] if other.verb is Verb.READ
            ]
            download = download or any(path in self.downloads for path in read)
            texts = [self.written[path] for path in read if path in self.written]
        if download:
            self.download(index)
        elif process and source == "file":
            self.opaque("runs what another command prints")
        if texts and effect.attributes["program"] in SHELLS and self.around.depth < _MAX_DEPTH:
            state = State(self.place, (self.place.workspace,), positional=None)
            self.text(texts[0], state, Around(depth=self.around.depth + 1))

    def download(self, index: int) -> None:
        """The run at `index` takes its program from what was fetched."""
        effect = self.reading.effects[index]
        attributes = {**effect.attributes, "source": "download"}
        self.reading.effects[index] = replace(effect, attributes=attributes)

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
        around = replace(self.around, stdin_text="", environment=())
        if part.kind == ">(":
            around = replace(around, stdin="pipe")
        commands = part.script.commands
        self.list(part.script, own, around)
        text = self.printed if len(commands) == 1 and isinstance(commands[0], Simple) else None
        self.printed = printed
        self.doubts = doubts
        self.fetched = self.fetched or _fetches(self.reading.effects[mark:])
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


def _is_known(name: str) -> bool:
    try:
        return knowledge().table((name,)) is not None
    except KnowledgeError:
        return True


def _fetches(effects: Sequence[Effect]) -> bool:
    return any(
        effect.verb in {Verb.HTTP, Verb.CONNECT}
        or (effect.verb is Verb.RUN and effect.resource in _FETCHERS)
        for effect in effects
    )


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
    return name is not None and ("/" in name or builtins.is_builtin(name) or _is_known(name))


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


def _in_bin(path: str) -> bool:
    """Whether `path` is where package managers put the programs of a workspace."""
    folder = os.path.dirname(path)
    return folder.endswith(("/node_modules/.bin", "/vendor/bin")) or (
        folder.endswith("/bin") and os.path.basename(os.path.dirname(folder)).lstrip(".") in _VENVS
    )


_VENVS = frozenset({"venv", "env", "virtualenv", ".venv"})


def _script_text(path: str) -> str | None:
    """The text of a shell script; None for anything else."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError:
        return None
    if len(data) > _MAX_FILE or b"\0" in data:
        return None
    text = data.decode("utf-8", "replace")
    shebang = _SHEBANG.match(text)
    if shebang is not None and base_name(shebang[1]) not in SHELLS:
        return None
    return text
