"""What the importers share: a rule between two languages, and how it is written in Cedar."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.errors import PolicyError
from supervisor.model import Outcome
from supervisor.policy.writing import ANYTHING, Pattern, comment, either, like, pattern, quoted

CHANGES = ("write", "delete")
NETWORK = ("http", "connect")


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the other tool."""

    outcome: Outcome
    actions: tuple[str, ...]  # of the schema
    condition: str  # a Cedar expression; "" holds always
    origin: str  # "settings.json:4: Bash(git push:*)"
    words: str = ""  # why, in the other tool's or the person's words
    resource: str = ""  # a Cedar entity; "" for any
    program: str = ""  # the one that a rule about commands is about; "" for several
    match: tuple[str, ...] = ()
    not_match: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """What one file holds."""

    tool: str
    rules: tuple[Rule, ...]
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    def id_of(self, number: int) -> str:
        """The id of the policy that rule `number` (from 1) becomes."""
        return f"{self.tool}/{number}"


def render(imported: Imported) -> str:
    """The policies as a file. Asking goes before allowing, as in all the tools we read."""
    asking = [rule for rule in imported.rules if rule.outcome is Outcome.ASK]
    head = f"// From {imported.tool}, by `taskpass policy import`.\n"
    return head + "".join(
        "\n" + _policy(rule, imported.id_of(number), asking)
        for number, rule in enumerate(imported.rules, 1)
    )


def _policy(rule: Rule, name: str, asking: Sequence[Rule]) -> str:
    lines = [f"// {comment(rule.origin)}", f"@id({quoted(name)})"]
    words = rule.words or f"as in {rule.origin}"
    lines.append(f"@{'ask' if rule.outcome is Outcome.ASK else 'description'}({quoted(words)})")
    for kind, examples in (("match", rule.match), ("not_match", rule.not_match)):
        for number, example in enumerate(examples, 1):
            lines.append(f"@{kind}{number if number > 1 else ''}({quoted(example)})")
    effect = "forbid" if rule.outcome is Outcome.DENY else "permit"
    resource = f"resource == {rule.resource}" if rule.resource else "resource"
    lines.append(f"{effect} (principal, {_action(rule.actions)}, {resource})")
    conditions = [rule.condition] if rule.condition else []
    if rule.outcome is Outcome.ALLOW and rule.actions == ("run",):
        conditions.append("!context.uninspectable")
    if conditions:
        lines.append(f"when {{ {' && '.join(map(_grouped, conditions))} }}")
    if rule.outcome is Outcome.ALLOW:
        lines += [f"unless {{ {_whole(ask)} }}" for ask in asking if _meet(ask, rule)]
    return "\n".join(lines) + ";\n"


def _meet(one: Rule, other: Rule) -> bool:
    """Whether both may be about the same effect."""
    apart = one.program and other.program and one.program != other.program
    return not apart and bool(set(one.actions) & set(other.actions))


def _grouped(condition: str) -> str:
    return f"({condition})" if " || " in condition else condition


def _action(actions: Sequence[str]) -> str:
    names = ", ".join(f'Action::"{name}"' for name in actions)
    return f"action == {names}" if len(actions) == 1 else f"action in [{names}]"


def _whole(rule: Rule) -> str:
    """The rule's scope and condition as one expression."""
    parts = [f"resource == {rule.resource}"] if rule.resource else []
    parts += [_grouped(rule.condition) if parts else rule.condition] if rule.condition else []
    return " && ".join(parts) or "true"


# ── Commands ────────────────────────────────────────────────────────────────────────────────


def program_of(parts: Pattern) -> str:
    """The program that a form of a command spells out, "" for none."""
    first = parts[0] if parts else None
    if first is None or (" " not in first and len(parts) > 1):
        return ""
    return first.partition(" ")[0].rpartition("/")[2]


def command(parts: Pattern, *, strict: bool) -> str:
    """The simple command has this form; a last ` *` may be missing altogether.

    Args:
        parts: of the command as typed, with words separated by one blank.
        strict: for rules that refuse or ask: the program is then meant by any path to it.

    The words are compared after the shell has taken the quotes away, so no quoting evades it.
    """
    first = parts[0] if parts else ""
    if first is None or (" " not in first and len(parts) > 1):
        return _wild_program(parts)
    word, blank, rest = first.partition(" ")
    arguments: Pattern = (rest, *parts[1:]) if rest else parts[1:]
    program = _program(word, strict=strict)
    if not blank:
        return f'{program} && context.arguments == ""'
    if arguments == (None,):
        return program
    return f"{program} && {_grouped(_arguments(arguments))}"


def _wild_program(parts: Pattern) -> str:
    """The name of the program itself is not spelled out."""
    if parts == (None,):
        return "true"
    if len(parts) == 2 and parts[1] is None and parts[0] is not None:
        return like("context.argv0", parts)
    return like("context.text", parts)


def _program(word: str, *, strict: bool) -> str:
    if strict and "/" not in word:
        return f"context.program == {quoted(word)}"
    return f"context.argv0 == {quoted(word)}"


def _arguments(parts: Pattern) -> str:
    last = parts[-2] if len(parts) > 1 and parts[-1] is None else None
    if last is not None and last.endswith(" "):
        bare = (*parts[:-2], last[:-1])
        return either((like("context.arguments", bare), like("context.arguments", parts)))
    return like("context.arguments", parts)


def too_wide(parts: Pattern) -> str:
    """Why an allowance for this form would allow anything at all; "" when it would not."""
    first = parts[0] if parts else None
    if first is None:
        return "it covers every program"
    word, blank, rest = first.partition(" ")
    name = word.rpartition("/")[2]
    if len(parts) == 1:
        return ""
    if not blank:
        several = any(each.startswith(name) for each in ANYTHING)
        return "it covers programs that run whatever they are given" if several else ""
    fixed = " ".join(part for part in (rest, *parts[1:]) if part).split()
    if name in ANYTHING and all(re.fullmatch(r"-.*|[\d.]+[a-z]?", each) for each in fixed):
        return f"{name} runs whatever it is given"
    return ""


# ── Paths ───────────────────────────────────────────────────────────────────────────────────


def path(glob: str, *, anchor: str, exact: bool) -> str:
    """A file of this form, compared without case.

    Args:
        glob: `**` crosses directories, `*` and `?` do not.
        anchor: absolute directory that `glob` begins at; "" for anywhere in the workspace.
        exact: for rules that allow: a `*` does not cross directories either. Where they refuse,
            it may.
    """
    whole = f"{anchor.rstrip('/') if anchor else '**'}/{glob.lstrip('/')}".casefold()
    forms = either(_file(form, exact=exact) for form in _spelled_out(whole))
    return forms if anchor else f"context.inside && {_grouped(forms)}"


def _spelled_out(glob: str) -> list[str]:
    """A `/**/` stands for nothing at all too, which Cedar's one wildcard does not."""
    if glob.count("/**/") > _MOST_DEPTHS:
        return [glob]
    before, found, after = glob.partition("/**/")
    if not found:
        return [glob]
    return [
        before + between + rest for rest in _spelled_out("/" + after) for between in ("", "/**")
    ]


_MOST_DEPTHS = 3
_STAR = re.compile(r"\*\*+|\*|\?")


def _file(glob: str, *, exact: bool) -> str:
    conditions = [like("context.folded", pattern(_STAR.sub("*", glob)))]
    for star in _STAR.finditer(glob) if exact else ():
        # What follows a `**/` may begin in any directory below it.
        if star[0] in ("*", "?") and not glob[: star.start()].endswith("**/"):
            deeper = glob[: star.start()] + "*/*" + glob[star.end() :]
            conditions.append(f"!({like('context.folded', pattern(_STAR.sub('*', deeper)))})")
    return " && ".join(conditions)


# ── JSON files ──────────────────────────────────────────────────────────────────────────────


def read_json(text: str, name: str) -> dict[str, object]:
    """The object in a file of another tool.

    Raises:
        PolicyError: naming file, line and column.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise PolicyError(
            f"{name}:{error.lineno}:{error.colno}: {error.msg}.", hint="It must be JSON."
        ) from None
    except RecursionError:
        raise PolicyError(f"{name}:1:1: nested too deeply.", hint="It must be JSON.") from None
    if not isinstance(value, dict):
        raise PolicyError(f"{name}:1:1: not an object.", hint="Is this the file you mean?")
    return value


def texts(value: object) -> list[str]:
    """The texts of a list; anything else counts as empty."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def located(text: str, name: str, rule: str) -> str:
    """`file:line: rule`, as well as it can be told."""
    at = text.find(json.dumps(rule))
    line = text.count("\n", 0, at) + 1 if at >= 0 else 1
    return f"{name}:{line}: {rule}"
