"""Agents that load a plugin of ours: what it is told, and what it is answered.

The plugin posts what it sees in the agent's own words, and is answered in ours:

    {"granted": true, "input": {…arguments to use instead}, "reason": "a word about the result"}
    {"granted": false, "reason": "why not"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from profiles.files import write_private
from supervisor.ports import HookAnswer, HookEvent, LaunchRequest

_ANNOUNCE = Path(__file__).with_name("announce.mjs")


def install(
    request: LaunchRequest, sources: Iterable[Path], into: Path, secrets: Iterable[str] = ()
) -> None:
    """Copy a plugin's sources to `into`, with `announce.mjs` and what they are told in `told.json`.

    Args:
        secrets: names of variables that it keeps from the agent's tools.

    Raises:
        LaunchFailed: something of it exists, or cannot be written.
    """
    for source in (*sources, _ANNOUNCE):
        write_private(into / source.name, source.read_text("utf-8"))
    told: dict[str, Any] = {
        "url": request.hook_url,
        "timeout": request.hook_timeout,
        "secrets": list(secrets),
    }
    write_private(into / "told.json", json.dumps(told))


def rendered(event: HookEvent, answer: HookAnswer) -> bytes:
    """The answer as `announce.mjs` reads it."""
    told: dict[str, Any] = {"granted": answer.allow}
    if answer.reason or not answer.allow:
        told["reason"] = answer.reason or "taskpass refused this call."
    if event.phase == "pre" and answer.allow and answer.rewritten is not None:
        told["input"] = dict(answer.rewritten)
    return json.dumps(told).encode()
