"""Runs programs in mind: each is handed to the knowledge of programs, and its files are minded."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from supervisor.effects.files import Place, file_effects, within
from supervisor.effects.knowledge import KnowledgeError, knowledge
from supervisor.effects.programs import read_program
from supervisor.effects.programs.invocation import base_name, path_effects, run_effect
from supervisor.effects.programs.live import live_change
from supervisor.effects.reading import Feed, Reading, Where, Word
from supervisor.effects.shell.state import State
from supervisor.effects.shell.syntax import Redirect
from supervisor.model import Effect, Verb

MAX_DEPTH = 16
_MAX_FILE = 65_536  # bytes of a script that is followed
_NAME = re.compile(r"[A-Za-z0-9_@%+=:,./~\[\]!-]+")
_SHEBANG = re.compile(r"#![ \t]*(?:/usr/bin/env[ \t]+(?:-S[ \t]+)?)?(\S*)")

# Their output comes from somebody else's machine, however they are told to fetch it.
_FETCHERS = frozenset(
    {"curl", "wget", "wget2", "http", "https", "xh", "aria2c", "fetch", "lynx", "w3m", "nc"}
    | {"ncat", "netcat", "socat", "ftp", "tftp", "links", "elinks", "lwp-request", "GET"}
)
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "rbash"})


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a command: where its input comes from and how deep it stands."""

    stdin: str = ""
    stdin_text: str = ""
    downloaded: bool = False
    elsewhere: bool = False
    depth: int = 0
    environment: tuple[tuple[str, str], ...] = ()  # exact variables a parent gave
    vague: frozenset[str] = frozenset()  # those it gave whose values are not known
    feed: Feed = field(default_factory=Feed)  # files that the command before names


class Exhausted(Exception):
    """The text has more in it than is judged: loops in loops, functions that call functions."""


class Runner(ABC):
    """Judges programs of one call. Is the `Shell` that readers of programs hand things back to."""

    def __init__(self, place: Place, reading: Reading) -> None:
        self.place = place
        self.reading = reading
        self.printed: str | None = None  # what the last simple command prints, where known
        self.sinks: list[tuple[int, int]] = []  # effects of `>(…)`, which is fed by its command
        self.written: dict[str, str] = {}  # files whose text this call writes
        self.downloads: set[str] = set()  # files this call fetches
        self.around = Around()

    @abstractmethod
    def text(self, text: str, state: State, around: Around) -> None:
        """Judge a text that a shell reads."""

    def spend(self, steps: int = 1) -> None:
        self.reading.budget -= steps
        if self.reading.budget <= 0:
            raise Exhausted

    def opaque(self, why: str) -> None:
        """Part of the text cannot be told beforehand; `why` goes on after "the command"."""
        self.reading.add(run_effect([Word("shell")], why=f"the command {why}"))

    # ── The Shell that readers know ─────────────────────────────────────────────────────

    def run(self, words: Sequence[Word], where: Where, reading: Reading) -> None:
        if where.depth > MAX_DEPTH:
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
            variables={**where.variables, **dict.fromkeys(where.vague)},
            exported=where.vague.union(where.variables),
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
        mark = len(self.reading.effects)
        if "/" not in head.text or where.elsewhere or not self.own(found, where):
            mark = len(self.reading.effects)
            read_program(found, where, self.reading, self)
            if not self.reading.effects[mark].attributes["known"] and not where.elsewhere:
                self.named_files(found[1:], where)
        if self.reading.effects[mark].attributes.get("act") == "project":
            change = live_change(found, where)
            self.reading.add(*([change] if change else []))

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
        if _in_bin(written) and is_known(name):
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
            variables={**where.variables, **dict.fromkeys(where.vague)},
            exported=where.vague.union(where.variables),
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
        downloaded = fetched or fetches(effects[mark:]) or self.around.downloaded
        for start, end in self.sinks if downloaded else ():
            for index in range(start, end):
                if effects[index].attributes.get("source") == "input":
                    self.download(index)
        process = any(word.text.startswith("/dev/fd/") for word in found)
        for index in range(mark, len(effects)):
            effect = effects[index]
            if effect.verb is Verb.WRITE:
                if downloaded:
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
        if texts and effect.attributes["program"] in _SHELLS and self.around.depth < MAX_DEPTH:
            state = State(self.place, (self.place.workspace,), positional=None)
            self.text(texts[0], state, Around(depth=self.around.depth + 1))

    def download(self, index: int) -> None:
        """The run at `index` takes its program from what was fetched."""
        effect = self.reading.effects[index]
        attributes = {**effect.attributes, "source": "download"}
        self.reading.effects[index] = replace(effect, attributes=attributes)


# ── Small questions ─────────────────────────────────────────────────────────────────────


def is_known(name: str) -> bool:
    try:
        return knowledge().table((name,)) is not None
    except KnowledgeError:
        return True


def fetches(effects: Sequence[Effect]) -> bool:
    return any(
        effect.verb in {Verb.HTTP, Verb.CONNECT}
        or (effect.verb is Verb.RUN and effect.resource in _FETCHERS)
        for effect in effects
    )


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
    if shebang is not None and base_name(shebang[1]) not in _SHELLS:
        return None
    return text
