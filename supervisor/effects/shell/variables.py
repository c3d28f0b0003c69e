"""Builtins that change variables and options of the shell, and what such a change means."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from supervisor.effects.environment import loads_code
from supervisor.effects.files import within
from supervisor.effects.programs.invocation import run_effect
from supervisor.effects.reading import Word
from supervisor.effects.shell.state import State
from supervisor.model import Effect

if TYPE_CHECKING:
    from supervisor.effects.shell.runner import Around
    from supervisor.effects.shell.simplewalk import SimpleWalker

_CALCULATED = re.compile(r"[\w\s+\-*/%<>=!&|^~?:,()]*")
IDENTIFIER = re.compile(r"[A-Za-z_]\w*")
_PATHS = frozenset({"PATH", "PYTHONPATH", "NODE_PATH", "CDPATH", "GOPATH", "RUBYLIB", "PERL5LIB"})
_TOOLS = ("/.local/bin", "/.cargo/bin", "/go/bin", "/.bun/bin", "/.deno/bin", "/.volta/bin")
_SYSTEM = ("/usr", "/bin", "/sbin", "/opt", "/snap", "/nix", "/home/linuxbrew")
_MEMORY = re.compile(r"--max[-_]old[-_]space[-_]size=\d+")
_GLOBBING = frozenset({"nullglob", "failglob", "lastpipe", "inherit_errexit", "nocasematch",
                       "checkwinsize", "globstar", "pipefail", "huponexit"})  # fmt: skip
_REWIRING = ("TASKPASS_", "SSL_CERT_", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")


def setting_effect(name: str, value: Word, state: State) -> Effect | None:
    """The effect of giving later programs a variable that decides which code they load."""
    exact = value.text if value.exact else None
    if not loads_code(name, exact) or (name == "IFS" and exact is not None):
        return None
    said = [Word("export"), Word(f"{name}={value.text}")]
    if name in _PATHS and exact is not None:
        folders = [_kind_of(folder, state) for folder in exact.split(":")]
        if name != "PATH" and not exact:
            return None
        if all(folders):
            return run_effect(said, act="project") if "workspace" in folders else None
    if name == "NODE_OPTIONS" and exact is not None and _MEMORY.fullmatch(exact):
        return None
    return run_effect(said, why=f"sets {name}, by which programs find their code")


def _kind_of(folder: str, state: State) -> str:
    """Where a folder of PATH lies; "" for one that nothing vouches for."""
    if not folder.startswith("/") or ".." in folder.split("/"):
        inside = folder in {"src", "lib", "tests"} and len(state.directories) == 1
        return "workspace" if inside else ""
    if within(os.path.normpath(folder), state.place.workspace):
        return "workspace"
    if folder in os.environ.get("PATH", "").split(":"):
        return "system"
    if any(within(folder, root) for root in _SYSTEM):
        return "system"
    return "home" if any(folder == state.place.home + tool for tool in _TOOLS) else ""


class VariableBuiltin:
    """One call of a builtin, as far as it is about variables."""

    def __init__(
        self, walker: SimpleWalker, name: str, found: Sequence[Word], state: State, around: Around
    ) -> None:
        self.walker = walker
        self.name = name
        self.found = found
        self.words = list(found[1:])
        self.state = state
        self.around = around

    def say(self, act: str = "", why: str = "", source: str = "") -> None:
        """The run of the builtin itself."""
        self.walker.reading.add(
            run_effect(self.found, act=act, why=f"{self.name} {why}" if why else "", source=source)
        )

    def options(self, valued: str = "") -> tuple[str, list[Word]]:
        """Letters of the options, and the words after them. `valued` ones take a word."""
        letters = ""
        words = list(self.words)
        while words and words[0].exact and len(words[0].text) > 1 and words[0].text[0] in "-+":
            option = words.pop(0).text
            if option == "--":
                break
            letters += option[1:]
            if option[-1] in valued and words:
                words.pop(0)
        return letters, words

    # ── Variables ───────────────────────────────────────────────────────────────────────

    def declare(self) -> None:
        letters, words = self.options()
        exports = self.name == "export" or "x" in letters
        opaque = ""
        if set(letters) - set("aAgrxpuUltf") or ("f" in letters and self.name == "export"):
            opaque = f"does not know what -{letters} does to later commands"
        for word in words:
            name, equals, value = word.text.partition("=")
            name = name.removesuffix("+")
            if not IDENTIFIER.fullmatch(name):
                opaque = opaque or "names a variable that is only known when it runs"
                continue
            if equals:
                given = replace(word, text=value)
                if "a" in letters or "A" in letters or word.text[len(name) :].startswith("+="):
                    given = Word("", exact=False)
                self.walker.setting(name, given, self.state)
                self.state.assign(name, given.text if given.exact else None)
            elif exports and name in self.state.variables:
                known = self.state.variables[name]
                self.walker.setting(name, Word(known or "", known is not None), self.state)
            if exports:
                self.state.exported |= {name}
        self.say(why=opaque)

    def unset(self) -> None:
        letters, words = self.options()
        opaque = ""
        for word in words:
            if not word.exact or not IDENTIFIER.fullmatch(word.text):
                opaque = "names a variable that is only known when it runs"
            elif "f" in letters:
                self.state.functions.pop(word.text, None)
            else:
                self.state.assign(word.text, "")
                self.state.exported -= {word.text}
                if word.text.upper().endswith("_PROXY") or word.text.startswith(_REWIRING):
                    opaque = f"takes {word.text} away"
        self.say(why=opaque)

    def set(self) -> None:
        words = list(self.words)
        opaque = ""
        while words and words[0].text[:1] in {"-", "+"} and words[0].exact:
            option = words.pop(0).text
            if option in {"--", "-"}:
                self.positional(words)
                self.say(why=opaque)
                return
            letters = option[1:]
            if letters.endswith("o") and words:
                name = words.pop(0)
                if name.text not in {"pipefail", "errexit", "nounset", "xtrace", "errtrace",
                                     "functrace", "noclobber", "verbose", "noglob"}:  # fmt: skip
                    opaque = "changes how the rest is read"
                letters = letters[:-1]
            if set(letters) - set("euxvETCabhmnf") or "a" in letters:
                opaque = "changes how the rest is read"
        if words:
            self.positional(words)
        self.say(why=opaque)

    def positional(self, words: Sequence[Word]) -> None:
        exact = all(word.exact and not word.glob for word in words)
        self.state.positional = tuple(word.text for word in words) if exact else None

    def shopt(self) -> None:
        letters, words = self.options()
        names = {word.text for word in words}
        harmless = not set(letters) & {"s", "u", "o"} or names <= _GLOBBING
        self.say(why="" if harmless else "changes how the rest is read")

    def read(self) -> None:
        letters, words = self.options("adinNptuCcOs" if self.name != "read" else "adinNptu")
        opaque = ""
        if self.name != "read" and self.name != "getopts" and {"C", "c"} & set(letters):
            opaque = "runs a text for each line"
        if self.name == "getopts":
            words = [*words[1:2], Word("OPTARG")]
        elif not words:
            words = [Word("REPLY"), Word("MAPFILE")]
        words += [word for word in self.words if IDENTIFIER.fullmatch(word.text)]
        for word in words:
            if not word.exact or not IDENTIFIER.fullmatch(word.text):
                opaque = opaque or "names a variable that is only known when it runs"
            else:
                self.state.assign(word.text, None)
                if loads_code(word.text):
                    self.walker.setting(word.text, Word("", exact=False), self.state)
        self.say(why=opaque)

    def let(self) -> None:
        opaque = ""
        for word in self.words:
            names = IDENTIFIER.findall(word.text)
            if not (
                word.exact
                and _CALCULATED.fullmatch(word.text)
                and all(self.state.calculable(name) for name in names)
            ):
                opaque = "calculates with a text that is only known when it runs"
            for name in names:
                self.state.assign(name, None, number=True)
                if loads_code(name):
                    opaque = f"sets {name}, by which programs find their code"
        self.say(why=opaque)
