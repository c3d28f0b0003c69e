"""The private home of an agent whose settings name its hooks, as Gemini CLI and its kin have it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import nodejs
from profiles.files import hook_command, link, own_limit, private_folder, write_private
from profiles.tables import table
from supervisor.ports import Mount

# Only reports: the agent must not hang on them.
_REPORT_TIMEOUT = 15  # seconds
_OWN_MODE = frozenset({"--approval-mode", "--yolo", "-y"})


def hooks(
    events: Mapping[str, bool], judged: str, script: str, hook_url: str, hook_timeout: int
) -> dict[str, Any]:
    """The `hooks` table: one command for each event. Its timeouts are in milliseconds.

    Args:
        events: event → whether it names tools.
        judged: the event that waits for an answer.
        hook_timeout: seconds that it may wait.
    """
    found: dict[str, Any] = {}
    for event, tools in events.items():
        timeout = hook_timeout if event == judged else _REPORT_TIMEOUT
        command = hook_command(script, hook_url, event, own_limit(timeout))
        group: dict[str, Any] = {
            "hooks": [{"type": "command", "command": command, "timeout": timeout * 1000}]
        }
        found[event] = [{"matcher": ".*", **group} if tools else group]
    return found


def mode(arguments: Sequence[str]) -> tuple[str, ...]:
    """Our hook decides, and a person answers there; the person's own choice is theirs."""
    given = {argument.split("=", 1)[0] for argument in arguments}
    return () if given & _OWN_MODE else ("--approval-mode=yolo",)


def lay_out(
    home: Path,
    person: str,
    settings: Mapping[str, Any],
    copied: Iterable[str],
    folders: Iterable[str],
) -> Path:
    """Make it: settings, copies of the person's files, links to their folders.

    Returns:
        Its settings.

    Raises:
        LaunchFailed: something cannot be made.
    """
    private_folder(home)
    write_private(home / "settings.json", json.dumps(settings, indent=1))
    for name in copied:
        try:
            text = Path(person, name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # the agent itself says what is wrong with it
        write_private(home / name, text)
    for name in folders:
        if os.path.isdir(os.path.join(person, name)):
            link(home / name, os.path.join(person, name))
    return home / "settings.json"


def mounts(
    executable: str, node: str, request_home: str, home: Path, settings: Path, person: str,
    folders: Iterable[str],
) -> tuple[Mount, ...]:  # fmt: skip
    """The program, and its private home: state is the agent's to write, its settings are not.

    Args:
        request_home: of the person.
        home, settings: as they were laid out.
        person: where the person's own `folders` lie.
    """
    own = (os.path.join(person, name) for name in folders)
    return (
        *nodejs.mounts(executable, node, request_home),
        Mount(str(home), writable=True),
        Mount(str(settings)),
        *(Mount(path) for path in own if os.path.isdir(path)),
    )


def with_general(own: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    """The person's settings, with some of the group `general` as we need them."""
    return {**own, "general": {**table(own.get("general")), **values}}
