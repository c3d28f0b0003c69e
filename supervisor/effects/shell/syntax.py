"""What a shell text is made of, as small frozen pieces. No I/O.

`grammar` makes them from text; `words` and `walk` give them meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

# ── Words ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Literal:
    """Characters that stand for themselves; unquoted ones may still be wildcards or braces."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name`, or `${name OPERATOR argument}`."""

    name: str
    quoted: bool
    operator: str = ""  # "", ":-", "-", ":=", "=", ":?", "?", ":+", "+", "#name", or any other
    argument: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(script)`, `` `script` ``, `<(script)` or `>(script)`."""

    script: Script
    kind: str  # "$(", "`", "<(", ">("
    quoted: bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`$((…))`: its text without substitutions, and the parts that are expanded in it."""

    text: str
    parts: tuple[Part, ...]
    quoted: bool


@dataclass(frozen=True, slots=True)
class Quoted:
    """`"…"` with something in it that is expanded."""

    parts: tuple[Part, ...]


Part = Literal | Parameter | Substitution | Arithmetic | Quoted


@dataclass(frozen=True, slots=True)
class Raw:
    """A word before any expansion."""

    parts: tuple[Part, ...]
    source: str  # as written
    start: int  # where, in characters from the begin of the text
    special: bool = False  # has unquoted wildcards, braces or a tilde

    @property
    def literal(self) -> str | None:
        """Its text where nothing in it is expanded, else None."""
        if self.special or any(not isinstance(part, Literal) for part in self.parts):
            return None
        return "".join([part.text for part in self.parts if isinstance(part, Literal)])


# ── Commands ────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Document:
    """The text of a here-document. Filled in when its lines are reached, after its operator."""

    text: Raw = Raw((), "", 0)


@dataclass(frozen=True, slots=True)
class Redirect:
    """`op target`; a here-document's target is its end, and its text is `document`."""

    op: str  # "<", ">", ">>", ">|", "<>", "<&", ">&", "&>", "&>>", "<<", "<<-", "<<<"
    target: Raw
    document: Document | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name=value`; `value` is None for an array, an element or `+=`, whose parts are `parts`."""

    name: str
    value: Raw | None
    parts: tuple[Raw, ...] = ()


@dataclass(frozen=True, slots=True)
class Simple:
    """`NAME=value program words <redirections`."""

    assignments: tuple[Assignment, ...]
    words: tuple[Raw, ...]
    redirects: tuple[Redirect, ...]
    source: str
    arrays: tuple[Raw, ...] = ()  # elements of `declare name=(…)`


@dataclass(frozen=True, slots=True)
class Group:
    """`{ …; }`, or `( … )` with `subshell`."""

    body: Script
    subshell: bool


@dataclass(frozen=True, slots=True)
class Loop:
    """`for`, `select`, `while`, `until`; `words` is None for those without a list."""

    variable: str
    words: tuple[Raw, ...] | None
    condition: Script | None
    body: Script
    head: Arithmetic | None = None  # of `for ((…))`


@dataclass(frozen=True, slots=True)
class Choice:
    """`if`: pairs of condition and body; a condition is None for `else`."""

    branches: tuple[tuple[Script | None, Script], ...]


@dataclass(frozen=True, slots=True)
class Case:
    word: Raw
    branches: tuple[tuple[tuple[Raw, ...], Script], ...]


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    body: Command


@dataclass(frozen=True, slots=True)
class Test:
    """`[[ … ]]`: its operands and operators."""

    words: tuple[Raw, ...]


@dataclass(frozen=True, slots=True)
class Calculation:
    """`(( … ))`. `nested` is what a shell without arithmetic commands runs: two subshells."""

    value: Arithmetic
    nested: Script | None = None


@dataclass(frozen=True, slots=True)
class Coprocess:
    command: Command


@dataclass(frozen=True, slots=True)
class Redirected:
    """A compound command with redirections."""

    command: Command
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Two commands or more, joined by `|`."""

    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """`first && second || third`, possibly sent to the background."""

    first: Command
    rest: tuple[tuple[str, Command], ...] = ()
    background: bool = False


Command = (
    Simple
    | Group
    | Loop
    | Choice
    | Case
    | Function
    | Test
    | Calculation
    | Coprocess
    | Redirected
    | Pipeline
    | Chain
)


@dataclass(frozen=True, slots=True)
class Script:
    """A list of commands, and in words why it could not be read as the shell would."""

    commands: tuple[Command, ...]
    problems: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()  # where its programs' names begin, nested ones included
    excessive: bool = False  # beyond the limits of what is read
