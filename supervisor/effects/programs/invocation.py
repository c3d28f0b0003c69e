"""One run of a known program while it is being read: what it names, and what that means."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from supervisor.effects.content import content_of
from supervisor.effects.files import file_effects, within
from supervisor.effects.http import http_effect
from supervisor.effects.knowledge import Table
from supervisor.effects.looking import Looks, matches
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.shapes import install_effect, operate_effect
from supervisor.effects.reading import Reading, Shell, Where, Word
from supervisor.effects.searching import Wanted, named, secrets_below
from supervisor.model import Effect, Verb

_MAX_MATCHES = 64
_MAX_SEARCHED = 1_000  # entries of directories for one search
_MAX_SECRETS = 16
_MAX_DEPTH = 40
_MAX_FOLLOWED = 24
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./~-]+")
_HOST = re.compile(r"(?:[^@\s/]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(\d+))?")
_REMOTE = re.compile(r"(?:[^@/:]+@)?(\[[0-9A-Fa-f:.]+\]|[^/:]+):(.*)", re.DOTALL)


@dataclass(slots=True)
class Invocation:
    """The run of `words[0]`, a program of `table`; readers add what it would do.

    `given` holds the options that stood before the subcommand and, for tables without a
    reader, all options and operands.
    """

    words: Sequence[Word]
    table: Table
    where: Where
    reading: Reading
    shell: Shell
    given: Given = field(default_factory=Given)
    act: str = ""
    source: str = ""
    why: str = ""  # the first reason for which it is not inspectable
    known: bool = True
    target: str = ""  # what an operation is done to: the first word that only names something
    manager: str = ""  # what installs; "" for the program itself
    everywhere: bool = False

    @property
    def program(self) -> str:
        return base_name(self.words[0].text)

    def add(self, *effects: Effect) -> None:
        self.reading.add(*effects)

    def opaque(self, why: str) -> None:
        """What it would do cannot be told beforehand; `why` goes on after the program's name."""
        if not self.why:
            self.why = f"{self.program} {why}"

    def unknown(self, why: str) -> None:
        """It is used in a form that nothing is known about; `why` as for `opaque`."""
        self.opaque(why)
        self.known = False

    # ── What its words name ─────────────────────────────────────────────────────────────

    def file(self, verb: Verb, word: Word) -> bool:
        """The file or directory `word` is read, written or deleted. False: which is not known."""
        if self.where.elsewhere:
            return True
        found = path_effects(verb, word, self.where, self.reading)
        if found is None:
            self.opaque(f"{_DOES[verb]} a file that is only known when it runs")
            return False
        self.add(*found)
        return True

    def read(self, word: Word) -> bool:
        return self.file(Verb.READ, word)

    def search(self, word: Word, wanted: Wanted, *, follow: bool = False) -> None:
        """It goes through all `wanted` files below `word`; what `read` tells of it stands."""
        where = self.where
        if where.elsewhere or not word.exact or not (where.cwd or word.text.startswith("/")):
            return
        root = os.path.join(where.cwd, word.text)
        roots = matches(root, self.reading.looks, _MAX_MATCHES) if word.glob else (root,)
        for path in roots:
            found = search_effects(path, wanted, where, self.reading, follow=follow)
            if found is None:
                self.opaque("searches through more files than are seen")
                return
            self.add(*found)

    def write(self, word: Word, text: str | None = None) -> bool:
        """`text`: all that comes into the file, where that can be told."""
        start = len(self.reading.effects)
        known = self.file(Verb.WRITE, word)
        if text is not None:
            self._mark(start, content=content_of(text))
        return known

    def delete(self, word: Word) -> bool:
        return self.file(Verb.DELETE, word)

    def clear(self, word: Word) -> None:
        """A directory is deleted with all below it."""
        start = len(self.reading.effects)
        self.file(Verb.DELETE, word)
        self._mark(start, clear=True)

    def all_below(self, start: int) -> None:
        """What the effects from `start` on delete is everything below their directory."""
        for index in range(start, len(self.reading.effects)):
            effect = self.reading.effects[index]
            if effect.verb is Verb.DELETE:
                attributes = {**effect.attributes, "clear": True}
                self.reading.effects[index] = replace(effect, attributes=attributes)

    def _mark(self, start: int, **told: str | bool) -> None:
        """Tell more of the effects from `start` on."""
        for index in range(start, len(self.reading.effects)):
            effect = self.reading.effects[index]
            self.reading.effects[index] = replace(effect, attributes={**effect.attributes, **told})

    def url(self, word: Word, method: str = "GET") -> None:
        """A request to the URL; `file:` names a file."""
        if not word.exact or (word.glob and not word.quoted and "*" in word.text):
            self.opaque("fetches an address that is only known when it runs")
            return
        if word.text[:5].lower() == "file:":
            path = re.sub(r"^file:(?://(?:localhost)?(?=/))?", "", word.text, flags=re.IGNORECASE)
            self.file(
                Verb.READ if method in {"GET", "HEAD"} else Verb.WRITE, replace(word, text=path)
            )
            return
        self.add(http_effect(word.text, method))

    def host(self, word: Word, port: str = "") -> None:
        """A connection to `host`, `user@host` or `host:port`."""
        match = _HOST.fullmatch(word.text)
        if not word.exact or match is None:
            self.opaque("connects to a host that is only known when it runs")
            return
        port = match[2] or port
        self.connect(match[1], port)

    def connect(self, host: str, port: str = "") -> None:
        name = host.lower().rstrip(".")
        self.add(Effect(Verb.CONNECT, f"{name}:{port}" if port else name, {}))

    def remote(self, verb: Verb, word: Word) -> None:
        """`host:path` is on another machine, anything else is a file here."""
        match = _REMOTE.fullmatch(word.text)
        if word.exact and match is not None:
            self.host(Word(match[1]))
        elif not word.exact:
            self.opaque("copies from or to a place that is only known when it runs")
        else:
            self.file(verb, word)

    def install(self, word: Word) -> None:
        """The package that `word` names is added."""
        if not word.exact:
            self.opaque("installs what is only known when it runs")
        manager = self.manager or self.program
        self.add(install_effect(manager, word.text, everywhere=self.everywhere))

    def operate(
        self, system: str, operation: str, degree: str, target: str = "", *, local: bool = False
    ) -> None:
        """`operation` on a live system that others share.

        Its target is called "local" only where the reader knows that a tool of this machine made
        it; a word of the command that reads so is not taken for that.
        """
        named = target or self.target
        named = "local" if local else "" if named == "local" else named
        self.add(operate_effect(system, operation, degree, named))

    # ── What it hands on ────────────────────────────────────────────────────────────────

    def deeper(self, *, elsewhere: bool = False) -> Where:
        where = self.where
        return replace(where, depth=where.depth + 1, elsewhere=where.elsewhere or elsewhere)

    def run(self, words: Sequence[Word], where: Where | None = None) -> None:
        """It runs `words` as a command of its own."""
        where = where or self.deeper()
        if where.depth > _MAX_DEPTH:
            self.opaque("is nested too deep")
        elif words:
            self.shell.run(words, where, self.reading)

    def script(self, text: Word, where: Where | None = None) -> None:
        """A shell runs `text`."""
        where = where or self.deeper()
        if where.depth > _MAX_DEPTH:
            self.opaque("is nested too deep")
        else:
            self.shell.script(text, where, self.reading)

    def follow(self, path: str, *arguments: str) -> bool:
        """Whether the text in `path` is to be judged now: once for each use, and not too many."""
        followed = self.reading.followed
        use = (path, self.where.cwd, *arguments)
        if use in followed:
            return False
        if len(followed) >= _MAX_FOLLOWED:
            self.opaque("runs one of too many texts to judge")
            return False
        followed.add(use)
        return True

    def effect(self) -> Effect:
        """The run itself."""
        words = self.words
        return run_effect(
            words,
            subcommand=self.table.subcommand,
            known=self.known,
            act=self.act,
            source=self.source,
            why=self.why,
        )


_DOES = {Verb.READ: "reads", Verb.WRITE: "writes", Verb.DELETE: "deletes"}


def base_name(text: str) -> str:
    """`/usr/bin/git` → `git`."""
    return text.rstrip("/").rpartition("/")[2] or text


def run_effect(
    words: Sequence[Word],
    *,
    subcommand: str = "",
    known: bool = True,
    act: str = "",
    source: str = "",
    why: str = "",
) -> Effect:
    """The run of `words`; with a reason `why` for a known program it is not inspectable."""
    texts = [word.text for word in words]
    program = base_name(texts[0]) if texts else ""
    return Effect(
        Verb.RUN,
        program,
        {
            "program": program,
            "argv0": texts[0] if texts else "",
            "arguments": " ".join(texts[1:]),
            "subcommand": subcommand,
            "text": " ".join(map(_shown, texts)),
            "known": known,
            "uninspectable": bool(why) and known,
            "act": act,
            "source": source,
            "why": why,
        },
    )


def _shown(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def path_effects(
    verb: Verb, word: Word, where: Where, reading: Reading
) -> tuple[Effect, ...] | None:
    """The effects on the file that `word` names; None when it cannot be told which.

    A glob stands for every file that it matches now and for its own text: what it may match
    when it runs is judged by that. A path through a link that was made on the way stands for
    the link's target as well.
    """
    text = word.text
    if not word.exact or not text or "\0" in text:
        return None
    cwd = where.cwd
    if not cwd:
        if not text.startswith("/"):
            return None
        cwd = "/"
    try:
        found = _existing_effects(verb, text, cwd, word, where, reading)
    except ValueError:  # no name that a file system could have
        return None
    if verb is Verb.WRITE:
        reading.written.update(effect.resource for effect in found)
    return found


def _existing_effects(
    verb: Verb, text: str, cwd: str, word: Word, where: Where, reading: Reading
) -> tuple[Effect, ...]:
    found = file_effects(verb, text, cwd, where.place)
    if word.glob:
        found += _matched_effects(verb, text, cwd, where, reading)
    if word.deep and verb is Verb.READ:
        root, name = os.path.split(os.path.join(cwd, text))
        found += search_effects(root, named(name), where, reading) or ()
    if reading.links:
        for path in through_links(os.path.normpath(os.path.join(cwd, text)), reading.links):
            found += file_effects(verb, path, cwd, where.place)
    return found


def _matched_effects(
    verb: Verb, text: str, cwd: str, where: Where, reading: Reading
) -> tuple[Effect, ...]:
    key = (verb.value, cwd, text)
    known = reading.matched.get(key)
    if known is not None:
        return known
    spent = reading.looks.spent
    found: tuple[Effect, ...] = ()
    for match in matches(os.path.join(cwd, text), reading.looks, _MAX_MATCHES):
        found += file_effects(verb, match, cwd, where.place)
    if reading.looks.spent and not spent:
        reading.add(run_effect([Word("shell")], why="the command names more files than are seen"))
    reading.matched[key] = found
    return found


def search_effects(
    root: str, wanted: Wanted, where: Where, reading: Reading, *, follow: bool = False
) -> tuple[Effect, ...] | None:
    """What a search through `root` reads besides it: secret files below. None: too much to see."""
    if reading.searches <= 0:
        return None
    if not os.path.isdir(root):
        return ()
    looks = Looks(min(_MAX_SEARCHED, reading.searches), _MAX_SECRETS)
    found: tuple[Effect, ...] = ()
    for path in secrets_below(os.path.realpath(root), where.place, looks, wanted, follow=follow):
        found += file_effects(Verb.READ, path, where.cwd or "/", where.place)
    reading.searches -= _MAX_SEARCHED - looks.entries
    return tuple(
        replace(effect, attributes={**effect.attributes, "passing": True}) for effect in found
    )


def through_links(path: str, links: Mapping[str, str]) -> list[str]:
    """What `path` names where links, made on the way, are followed."""
    found: list[str] = []
    for link, target in links.items():
        if within(path, link):
            found.append(os.path.normpath(target + path[len(link) :]))
    return found
