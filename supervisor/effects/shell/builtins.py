"""What the shell's own commands do: to its state, and to what later commands mean.

Source: bash reference manual, chapter 4, and POSIX.1-2024 XCU 2.15.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from supervisor.effects.environment import loads_code
from supervisor.effects.files import within
from supervisor.effects.programs.invocation import path_effects, run_effect
from supervisor.effects.reading import Where, Word
from supervisor.effects.shell import syntax
from supervisor.effects.shell.state import State
from supervisor.effects.shell.variables import IDENTIFIER, VariableBuiltin
from supervisor.model import Verb

if TYPE_CHECKING:
    from supervisor.effects.shell.runner import Around
    from supervisor.effects.shell.simplewalk import SimpleWalker

DECLARING = frozenset({"declare", "typeset", "local", "export", "readonly"})
ASSIGNED = re.compile(r"[A-Za-z_]\w*\+?=")

_INERT = frozenset(
    {":", "true", "false", "break", "continue", "return", "exit", "wait", "jobs", "fg", "bg"}
    | {"disown", "times", "umask", "ulimit", "pwd", "dirs", "caller", "type", "help", "complete"}
    | {"compopt", "suspend", "logout"}
)
_MAX_FILE = 65_536  # bytes of a file that is sourced


def is_builtin(name: str) -> bool:
    return name in _NAMES


def run(
    walker: SimpleWalker, name: str, found: Sequence[Word], state: State, around: Around
) -> State | None:
    """Do what the builtin `name` does. Returns as `SimpleWalker.command`."""
    return _Builtin(walker, name, found, state, around).run()


def is_number(raw: syntax.Raw | None) -> bool:
    """Whether a value is a number, whichever: `$((…))`, or what a program counts."""
    parts = raw.parts if raw is not None else ()
    if len(parts) == 1 and isinstance(parts[0], syntax.Quoted):
        parts = parts[0].parts
    if len(parts) != 1:
        return False
    if not isinstance(parts[0], syntax.Substitution):
        return isinstance(parts[0], syntax.Arithmetic)
    commands = parts[0].script.commands
    last = commands[-1] if commands else None
    if isinstance(last, syntax.Pipeline):
        last = last.commands[-1]
    if not isinstance(last, syntax.Simple):
        return False
    texts = [word.literal for word in last.words]
    if texts[:1] == ["seq"]:
        return True
    counting = texts[:1] == ["wc"] and len(texts) == 2 and texts[1] in {"-l", "-c", "-w", "-m"}
    return counting or texts in (["nproc"], ["date", "+%s"]) or texts[:2] == ["grep", "-c"]


class _Builtin(VariableBuiltin):
    """One call of a builtin."""

    def run(self) -> State | None:
        if self.name in _INERT:
            if self.name == "pwd" and len(self.state.directories) == 1:
                self.walker.printed = self.state.directories[0] + "\n"
            self.say()
            return None
        match self.name:
            case "cd" | "pushd" | "popd":
                return self.change_directory()
            case "command" | "builtin" | "exec":
                return self.hand_on()
            case "echo":
                self.echo()
            case "printf":
                self.printf()
            case "[" | "test":
                self.test()
            case "export" | "declare" | "typeset" | "local" | "readonly":
                self.declare()
            case "unset":
                self.unset()
            case "set":
                self.set()
            case "shift":
                self.state.positional = None
                self.say()
            case "shopt":
                self.shopt()
            case "alias" | "unalias":
                self.say(why="gives names another meaning" if self.words else "")
            case "trap":
                self.trap()
            case "eval":
                self.eval()
            case "source" | ".":
                self.source()
            case "read" | "mapfile" | "readarray" | "getopts":
                self.read()
            case "let":
                self.let()
            case "time":
                self.time()
            case _:
                self.rare()
        return None

    # ── Directories ─────────────────────────────────────────────────────────────────────

    def change_directory(self) -> State | None:
        """Later relative paths start where it leads, or where it did not where it failed."""
        state = self.state
        self.say()
        before = state.directories
        operands = [w for w in self.words if not re.fullmatch(r"-[LPe@n]+|--", w.text)]
        failed = state.fork()
        if self.name == "popd" or (self.name == "pushd" and not operands):
            state.directories = state.stack[-1] if state.stack and self.name == "popd" else ()
            state.stack = state.stack[:-1] if self.name == "popd" else ()
            return failed
        if self.name == "pushd":
            state.stack = (*state.stack, before)
        if operands:
            target = operands[0]
        else:
            home = state.value("HOME")
            target = Word(home or "", exact=home is not None)
        if target.text == "-" and target.exact:
            old = state.variables.get("OLDPWD")
            target = Word(old or "", exact=bool(old))
        state.assign("OLDPWD", before[0] if len(before) == 1 else None)
        if "CDPATH" in state.variables or target.glob or not target.exact or len(operands) > 1:
            state.directories = ()
        elif target.text.startswith("/"):
            state.directories = (os.path.realpath(target.text),)
        else:
            state.directories = tuple(
                dict.fromkeys(os.path.realpath(os.path.join(d, target.text)) for d in before)
            )
        failed.assign("OLDPWD", None)
        return failed

    # ── Running other things ────────────────────────────────────────────────────────────

    def hand_on(self) -> State | None:
        """`command`, `builtin`, `exec`: the rest is a command."""
        letters, words = self.options("a" if self.name == "exec" else "")
        walker = self.walker
        if not words or (self.name == "command" and ("v" in letters or "V" in letters)):
            self.say()
            return None
        if self.name == "exec":
            walker.external(words, self.state, self.around)
            return None
        name = words[0].text if words[0].exact and not words[0].glob else ""
        if is_builtin(name):
            return run(walker, name, words, self.state, self.around)
        walker.external(words, self.state, self.around)
        return None

    def time(self) -> None:
        """`time -f …`: the program of that name, or for bash itself a command named `-f`."""
        self.walker.external(self.found, self.state, self.around)
        if self.words:
            self.walker.reading.add(run_effect(self.words[:1]))

    def eval(self) -> None:
        words = self.words[1:] if self.words and self.words[0].text == "--" else self.words
        text = " ".join(word.text for word in words)
        exact = all(word.exact for word in words)
        fetched = not exact and self.walker.fetched
        why = "" if exact else "runs a text that is only known when it runs"
        self.say(why=why, source="download" if fetched else "arguments")
        if exact:
            around = replace(self.around, depth=self.around.depth + 1)
            self.walker.text(text, self.state, around)

    def source(self) -> None:
        """A file whose text runs in this shell."""
        walker, state = self.walker, self.state
        words = self.words[1:] if self.words and self.words[0].text == "--" else self.words
        if not words:
            self.say()
            return
        file = words[0]
        if not file.exact or file.glob or file.text.startswith("/dev/fd/"):
            source = "download" if walker.fetched else "file"
            self.say(why="runs a file that is only known when it runs", source=source)
            return
        known = False
        for directory in state.directories or ("",):
            where = Where(state.place, directory)
            effects = path_effects(Verb.READ, file, where, walker.reading) or ()
            walker.reading.add(*effects)
            real = os.path.realpath(os.path.join(directory, file.text))
            if real in walker.downloads:
                self.say(why="runs a file that is fetched just before", source="download")
                return
            known = effects != () and within(real, state.place.workspace)
            if known:
                self.sourced(real)
        if known:
            self.say("project", source="file")
            state.merge(_unknown(state))
        else:
            self.say(why="runs a file outside the workspace", source="file")

    def sourced(self, path: str) -> None:
        text = self.walker.written.get(path)
        if text is None:
            if os.path.basename(path) == "activate":
                return  # of a virtual environment: sets PATH, which `project` says
            try:
                with open(path, "rb") as file:
                    data = file.read(_MAX_FILE + 1)
            except OSError:
                return
            text = data.decode("utf-8", "replace")
            if len(data) > _MAX_FILE or "\0" in text:
                return
        around = replace(self.around, depth=self.around.depth + 1)
        self.walker.text(text, self.state.fork(), around)

    def trap(self) -> None:
        letters, words = self.options()
        self.say()
        if letters or len(words) < 2:
            return
        if not words[0].exact:
            self.walker.opaque("traps with a text that is only known when it runs")
        elif words[0].text not in {"", "-"}:
            later = self.state.fork()
            later.merge(_unknown(later))
            around = replace(self.around, depth=self.around.depth + 1)
            self.walker.text(words[0].text, later, around)

    # ── Text ────────────────────────────────────────────────────────────────────────────

    def echo(self) -> None:
        words = self.words
        while words and words[0].exact and re.fullmatch(r"-[neE]+", words[0].text):
            words = words[1:]
        text = " ".join(word.text for word in words)
        plain = all(word.exact and not word.glob for word in words)
        # Shells do not agree on what a backslash prints.
        self.walker.printed = text + "\n" if plain and "\\" not in text else None
        self.say()

    def printf(self) -> None:
        words = self.words
        opaque = ""
        if words and words[0].text == "-v" and len(words) > 1:
            if words[1].exact and IDENTIFIER.fullmatch(words[1].text):
                self.state.assign(words[1].text, None)
                if loads_code(words[1].text):
                    self.walker.setting(words[1].text, Word("", exact=False), self.state)
            else:
                opaque = "names a variable that is only known when it runs"
        elif words and all(word.exact and not word.glob for word in words):
            self.walker.printed = _formatted([word.text for word in words if word.text != "--"])
        self.say(why=opaque)

    def test(self) -> None:
        opaque = ""
        for before, word in zip(self.words, self.words[1:], strict=False):
            if before.text in {"-v", "-R"} and ("[" in word.text or not word.exact):
                opaque = "looks up a name that is only known when it runs"
        self.say(why=opaque)

    # ── The rest ────────────────────────────────────────────────────────────────────────

    def rare(self) -> None:
        """Builtins that scripts of agents hardly use: some forms are opaque."""
        letters, words = self.options()
        opaque = ""
        match self.name:
            case "hash" if "p" in letters:
                opaque = "gives names another meaning"
            case "enable" if words or letters.strip("apns"):
                opaque = "gives names another meaning"
            case "fc":
                opaque = "runs commands of the history again"
            case "bind":
                opaque = "changes what keys do" if words or letters else ""
            case "history" if set(letters) & set("anrwps"):
                opaque = "changes the history"
            case "compgen" if set(letters) & set("FCW"):
                opaque = "runs a text"
        self.say(why=opaque)


def _unknown(state: State) -> State:
    """`state` after something that may have changed any of its variables."""
    other = state.fork()
    for name in other.variables:
        other.assign(name, None)
    other.splits = state.splits
    other.path = state.path
    return other


def _formatted(texts: Sequence[str]) -> str | None:
    """What `printf` prints, for plain formats."""
    if not texts:
        return None
    form, *values = texts
    if "\\" in form.replace("\\n", "").replace("\\t", ""):
        return None
    form = form.replace("\\n", "\n").replace("\\t", "\t")
    if "%" not in form:
        return form
    if form.count("%s") != form.count("%"):
        return None
    count = form.count("%s")
    printed = ""
    while True:
        given = [*values[:count], *[""] * (count - len(values))]
        values = values[count:]
        pieces = form.split("%s")
        printed += pieces[0] + "".join(
            value + piece for value, piece in zip(given, pieces[1:], strict=True)
        )
        if not values or len(printed) > _MAX_FILE:
            return printed


_NAMES = frozenset(
    _INERT
    | {"cd", "pushd", "popd", "command", "builtin", "exec", "echo", "printf", "[", "test", "unset"}
    | {"set", "shift", "shopt", "alias", "unalias", "trap", "eval", "source", ".", "read", "let"}
    | {"mapfile", "readarray", "getopts", "hash", "enable", "fc", "bind", "history", "compgen"}
    | {"time"}
    | DECLARING
)
