"""What reading a command gives, and what its readers may ask of each other. No I/O.

The shell's walker finds simple commands; `programs` says what one simple command would do by
the knowledge of programs; a wrapper (`xargs`, `env`, `sh -c`) hands what it runs back to the
walker. `Reading` is where all of them put what they found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from supervisor.effects.files import Place
from supervisor.effects.looking import Looks
from supervisor.model import Effect


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command after quote removal."""

    text: str
    exact: bool = True  # False: `text` lacks parts that are only known when it runs
    glob: bool = False  # contains an unquoted * ? [
    quoted: bool = False
    begins: str = ""  # of a word that is not exact: the text that it begins with in any case
    deep: bool = False  # its wildcards also stand for names in directories below


@dataclass(frozen=True, slots=True)
class Feed:
    """File names that one command hands to the next by a pipe, as far as they are known."""

    words: tuple[Word, ...] = ()
    everything: bool = False  # all below a directory, not what some test picks


@dataclass(frozen=True, slots=True)
class Where:
    """The circumstances of one simple command."""

    place: Place
    cwd: str  # real path; "" when only known at run time
    path: str = ""  # PATH that programs are found on, "" for the supervisor's idea of it
    stdin: str = ""  # "": none of interest, "pipe", "file", "text" (here-document or -string)
    stdin_text: str = ""  # the text, where `stdin` is "text" and it is exact
    downloaded: bool = False  # what comes in by the pipe was fetched from the network
    variables: Mapping[str, str] = field(default_factory=dict)  # exact values set before
    elsewhere: bool = False  # runs on another machine or in a container: paths are not ours
    depth: int = 0  # of wrappers and nested scripts
    feed: Feed = field(default_factory=Feed)
    positional: tuple[str, ...] | None = ()  # `$1 …` of a script that is handed on, None: unknown
    vague: frozenset[str] = frozenset()  # variables set to what is only known when it runs


@dataclass(slots=True)
class Reading:
    """Everything found so far, in order; `budget` bounds the work of one call."""

    effects: list[Effect] = field(default_factory=list)
    budget: int = 20_000  # steps left; at 0 the rest is uninspectable
    links: dict[str, str] = field(default_factory=dict)  # made on the way: path → target
    followed: set[tuple[str, ...]] = field(default_factory=set)  # files whose text was judged
    written: set[str] = field(default_factory=set)  # real paths that hold something new by now
    looks: Looks = field(default_factory=Looks)
    searches: int = 8_000  # entries that searches through directories may still look at
    matched: dict[tuple[str, ...], tuple[Effect, ...]] = field(default_factory=dict)  # by pattern

    def add(self, *effects: Effect) -> None:
        self.effects += effects


class Shell(Protocol):
    """What the reader of a program may hand on."""

    def run(self, words: Sequence[Word], where: Where, reading: Reading) -> None:
        """A further simple command: `words` as the program would execute them."""

    def script(self, text: Word, where: Where, reading: Reading) -> None:
        """A text that a POSIX shell would execute; one that is not exact is uninspectable."""
