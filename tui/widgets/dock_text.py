"""What the dock says of the requests on show, as labelled rows. Pure.

All of it is there before an answer is possible: the whole action with its effects, what it adds to
the task's authority, the rule that asked, and, marked as such, the agent's own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.text import Text

from supervisor.model import ApprovalRequest, Effect, Risk, Verb
from supervisor.protocol import wire
from tui import palette
from tui.lines import RISK_COLOUR, identity, tier
from tui.text import one_line, plural, time_of_day, visible
from tui.widgets.paper import GUTTER
from tui.world import Batch

Rows = list[tuple[str, Text]]

_RISK_WORDS: Final = {
    Risk.LOW: "low",
    Risk.MEDIUM: "medium",
    Risk.HIGH: "HIGH",
}
_DIFF: Final = {"+": palette.GREEN, "-": palette.RED, "@": palette.TEAL}
_HASH_SHOWN: Final = 12  # hex digits of a call's hash


def rows(batch: Batch, task: wire.TaskView | None) -> Rows:
    """All that the person must be able to see before answering.

    Args:
        task: the one that asks; None while it is not known here.
    """
    request = batch.first
    found: Rows = [("", visible(request.title, f"bold {palette.TEXT}")), ("", Text())]
    if task is not None:
        found.append(("task", identity(task, 96)))
        bound = tier(task).append(f"  uses bound by {task.call_identity}", palette.MUTED)
        found.append(("runtime", bound))
    if request.cwd:
        found.append(("in", visible(request.cwd)))
    found += [("effect" if not n else " ", _effect(e)) for n, e in enumerate(request.effects)]
    resources = list(dict.fromkeys(effect.resource for effect in request.effects))
    found.append(("resource", visible(", ".join(resources) or "none named")))
    risk = Text(_RISK_WORDS[request.risk], f"bold {RISK_COLOUR[request.risk]}")
    if request.code:
        risk.append(": type the code to approve")
    found.append(("risk", risk))
    if request.credential:
        released = visible(request.credential)
        released.append("  released for what you approve, to nothing else", palette.MUTED)
    else:
        released = Text("none is released", palette.MUTED)
    found.append(("credential", released))
    for number, change in enumerate(request.change or ("nothing beyond its grants",)):
        style = palette.AMBER if change.startswith("+") else palette.MUTED
        found.append((" " if number else "change", visible(change, style)))
    asking = visible(", ".join(request.asking) or "no rule named")
    asking.append("  ").append_text(visible(request.reason, palette.MUTED))
    found.append(("why asked", asking))
    if len(batch.requests) > 1:
        count = f"×{len(batch.requests)} identical requests, one answer for all of them"
        found.append(("batch", Text(count, f"bold {palette.AMBER}")))
        for one in batch.requests:
            found.append((" ", Text(_which(one), palette.MUTED)))
    for one in batch.requests:
        if one.agent_note:
            words = Text("(untrusted) ", f"italic {palette.AMBER}")
            words.append_text(visible(one.agent_note, f"italic {palette.MUTED}"))
            found.append(("agent says", words))
    found += _lines("given", request.arguments, {})
    return found + _lines("diff", request.diff, _DIFF)


def _lines(title: str, text: str, colours: Mapping[str, str]) -> Rows:
    """A long text below its title; the signs stay when colours go."""
    if not text:
        return []
    lines = text.rstrip("\n").split("\n")
    count = Text(plural(len(lines), "line"), palette.MUTED)
    shown = [visible(line, colours.get(line[:1], palette.TEXT)) for line in lines]
    return [(title, count), *((GUTTER, line) for line in shown)]


def _which(one: ApprovalRequest) -> str:
    """Each of a batch by itself: an answer is bound to its own hash."""
    digest = one_line(one.call_hash.removeprefix("sha256:"))[:_HASH_SHOWN]
    return f"{time_of_day(one.created)}  call {one_line(one.call)}  {one_line(one.id)}  {digest}"


# What attributes say that a person decides by; (name, value) → words.
_NOTES: dict[tuple[str, object], str] = {
    ("uninspectable", True): "cannot be read: what it does is not known",
    ("known", False): "a program that taskpass does not know",
    ("inside", True): "in the workspace",
    ("inside", False): "outside the workspace",
    ("root", True): "the workspace itself, or above it",
    ("home", True): "the home directory",
    ("ours", True): "taskpass's own files",
    ("clear", True): "with all that is below it",
    ("force", True): "by force",
    ("delete", True): "removes it there",
    ("protected", True): "a protected branch",
    ("several", True): "more than one ref",
    ("foreign", True): "a remote that is not the project's",
    ("remote", True): "on another machine",
    ("everywhere", True): "for more than this workspace",
    ("unlisted", True): "a service of your machine, outside the task",
}
# Said by the effect itself, or of use to policy only.
_SILENT = frozenset(
    {"method", "path", "program", "argv0", "arguments", "subcommand", "text", "name", "folded"}
    | {"graphql", "fields", "websocket"}
    | {name for name, _ in _NOTES}
)


def _effect(effect: Effect) -> Text:
    """An effect in words; an attribute that has none is shown by its name, if it tells more."""
    attributes = effect.attributes
    command = attributes.get("text") if effect.verb is Verb.RUN else ""
    text = visible(f"run {command}" if command else effect.label)
    notes = [words for (name, value), words in _NOTES.items() if attributes.get(name) is value]
    notes += [
        _note(name, value)
        for name, value in attributes.items()
        if value and name not in _SILENT and str(value) not in text.plain
    ]
    for note in notes:
        text.append("  ").append_text(visible(note, palette.MUTED))
    return text


def _note(name: str, value: object) -> str:
    if value is True:
        return name
    return str(value) if name == "why" else f"{name} {value}"  # a reason speaks for itself
