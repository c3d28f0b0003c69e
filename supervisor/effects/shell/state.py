"""What earlier commands of a text tell about later ones."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field

from supervisor.effects.files import Place
from supervisor.effects.shell.syntax import Command

_NUMBER = re.compile(r"-?\d+")
_COUNTED = frozenset(
    {"?", "$", "!", "#", "RANDOM", "LINENO", "UID", "EUID", "PPID", "SECONDS", "BASHPID"}
    | {"EPOCHSECONDS", "SRANDOM", "SHLVL", "OPTIND", "COLUMNS", "LINES", "HISTCMD"}
)
_BASES = {  # XDG Base Directory Specification 0.8
    "XDG_CONFIG_HOME": ".config",
    "XDG_CACHE_HOME": ".cache",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
}
_MAX_DIRECTORIES = 8


@dataclass(slots=True)
class State:
    """A shell's variables, functions and directory, as far as they are known.

    `directories` are all that the shell may stand in, () when that is not known. A variable
    that is None has a value that is only known when it runs; one that is missing comes from
    the environment.
    """

    place: Place
    directories: tuple[str, ...]
    variables: dict[str, str | None] = field(default_factory=dict)
    exported: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()  # variables that hold a number, whichever
    positional: tuple[str, ...] | None = ()
    functions: dict[str, tuple[Command, ...]] = field(default_factory=dict)  # all it may be
    uncertain: frozenset[str] = frozenset()  # functions that may not be defined
    stack: tuple[tuple[str, ...], ...] = ()  # of `pushd`
    splits: bool = True  # words are split at blanks: IFS is as it always was
    path: str = ""

    def fork(self) -> State:
        """A subshell's: what changes there is not seen here."""
        own = State(self.place, ())
        own.take(self)
        own.variables, own.functions = dict(self.variables), dict(self.functions)
        return own

    def take(self, other: State) -> None:
        """Become `other`."""
        self.directories = other.directories
        self.variables = other.variables
        self.exported = other.exported
        self.numbers = other.numbers
        self.positional = other.positional
        self.functions = other.functions
        self.uncertain = other.uncertain
        self.stack = other.stack
        self.splits = other.splits
        self.path = other.path

    def merge(self, other: State) -> None:
        """Either this or `other` holds from here on."""
        if self.directories != other.directories:
            both = tuple(dict.fromkeys((*self.directories, *other.directories)))
            known = self.directories and other.directories and len(both) <= _MAX_DIRECTORIES
            self.directories = both if known else ()
        if self.variables != other.variables:
            names = self.variables.keys() | other.variables.keys()
            self.variables = {
                name: value if (value := self.value(name)) == other.value(name) else None
                for name in names
            }
            self.numbers = frozenset(
                name for name in names if self.is_number(name) and other.is_number(name)
            )
        self.exported |= other.exported
        if self.functions != other.functions or self.uncertain != other.uncertain:
            apart = self.functions.keys() ^ other.functions.keys()
            self.uncertain |= other.uncertain | apart
            functions = dict(self.functions)
            for name, bodies in other.functions.items():
                own = functions.get(name, ())
                functions[name] = own + tuple(body for body in bodies if body not in own)
            self.functions = functions
        self.splits = self.splits and other.splits
        if self.positional != other.positional:
            self.positional = None
        if self.stack != other.stack:
            self.stack = ()
        if self.path != other.path:
            self.path = ""

    def assign(self, name: str, value: str | None, *, number: bool = False) -> None:
        self.variables[name] = value
        if number or (value is not None and _NUMBER.fullmatch(value)):
            self.numbers |= {name}
        elif name in self.numbers:
            self.numbers -= {name}
        if name == "IFS":
            self.splits = False
        if name == "PATH":
            self.path = value or ""

    def value(self, name: str) -> str | None:
        """The exact value of `$name`, None when it is only known when it runs."""
        if name in self.variables:
            return self.variables[name]
        if name.isdigit():
            if name == "0" or self.positional is None:
                return None
            index = int(name) - 1
            return self.positional[index] if index < len(self.positional) else ""
        match name:
            case "HOME":
                return self.place.home
            case "PWD":
                return self.directories[0] if len(self.directories) == 1 else None
            case "TMPDIR":
                return os.environ.get("TMPDIR", "/tmp")  # noqa: S108  (a name, not used)
            case "PATH":
                return self.path or os.environ.get("PATH", os.defpath)
            case "XDG_RUNTIME_DIR":
                return os.environ.get(name) or f"/run/user/{os.getuid()}"
            case "XDG_CONFIG_HOME" | "XDG_CACHE_HOME" | "XDG_DATA_HOME" | "XDG_STATE_HOME":
                return os.environ.get(name) or f"{self.place.home}/{_BASES[name]}"
            case "@" | "*":
                return None if self.positional is None else " ".join(self.positional)
            case _:
                return None

    def is_number(self, name: str) -> bool:
        return name in self.numbers or name in _COUNTED

    def calculable(self, name: str) -> bool:
        """Whether `$((name))` only calculates: a text in a variable may run commands there."""
        return self.is_number(name) or name not in self.variables

    @property
    def vague(self) -> frozenset[str]:
        """Variables that programs are given, and whose values are only known when it runs."""
        if not self.exported:
            return self.exported
        return frozenset(name for name in self.exported if self.variables.get(name, "") is None)

    @property
    def environment(self) -> dict[str, str]:
        """Exact values that programs are given."""
        return {
            name: value for name in self.exported if (value := self.variables.get(name)) is not None
        }
