"""Whether an agent could use a log-in today without asking, in the container that is planned."""

from __future__ import annotations

import os
from dataclasses import dataclass

from supervisor.discovery.found import Found, Place
from supervisor.model import Tier
from supervisor.process.containment import within
from supervisor.process.search import secrets_in

_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class View:
    """What a task will see of files, as far as it matters here.

    Attributes:
        mode: "standard", "strict" or "off".
        shown: real paths that the person lets tasks read or write, besides the workspace.
        masked: secrets in the workspace that tier A takes away.
    """

    tier: Tier
    mode: str
    workspace: str
    shown: tuple[str, ...] = ()
    masked: frozenset[str] = frozenset()


def view_of(
    place: Place, tier: Tier, mode: str, let_in: tuple[str, ...] = (), kept: tuple[str, ...] = ()
) -> View:
    """The view of a task in `place.workspace`.

    Args:
        let_in: `show` and `write` of config.toml.
        kept: `deny_read` of it.
    """
    if mode == "off":
        tier = Tier.UNCONTAINED
    strict = mode == "strict"
    workspace = os.path.realpath(place.workspace) if place.workspace else ""
    masked: tuple[str, ...] = ()
    if tier is Tier.A and workspace:
        masked = secrets_in([workspace], strict=strict, seconds=_SECONDS).paths
    denied = tuple(path for each in kept for path in _real(each, place))
    shown = () if strict else tuple(path for each in let_in for path in _real(each, place))
    named = frozenset(shown)
    return View(
        tier,
        mode,
        workspace,
        tuple(path for path in shown if path not in denied),
        frozenset(path for path in (*masked, *denied) if path not in named or path in denied),
    )


def _real(pattern: str, place: Place) -> list[str]:
    """A path of config.toml; one with wildcards is left to the plan, which looks at the disk."""
    if any(sign in pattern for sign in "*?["):
        return []
    home = pattern == "~" or pattern.startswith("~/")
    name = pattern[1:].lstrip("/") if home else pattern
    return [os.path.realpath(os.path.join(place.home if home else place.workspace, name))]


def readable(found: Found, view: View) -> bool:
    """Whether a program of the task can read it, or use it."""
    if not view.tier.contained:
        return True
    if not found.path or found.kind == "ssh-agent":
        return False  # variables like these, and sockets of agents, are not handed on
    path = os.path.realpath(found.path)
    if any(within(path, each) for each in view.masked):
        return False
    if any(within(path, each) for each in view.shown):
        return True
    inside = bool(view.workspace) and within(path, view.workspace)
    # Landlock takes nothing out of a directory that may be written, but for mode strict.
    return inside and not (view.tier is Tier.B and view.mode == "strict")
