"""The private COPILOT_HOME that a supervised Copilot CLI runs with, and where its program lies."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from profiles.files import link, private_folder, write_private
from supervisor.errors import ConfigError, LaunchFailed

# By these names, as VS Code has them, the inputs say which event they are of. A report must not
# keep the agent waiting.
_REPORTS = (
    "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "Stop", "SubagentStop",
    "Notification", "SessionEnd",
)  # fmt: skip
_REPORT_TIMEOUT = 15  # seconds
# What would take our hooks away, or have others change a call after it was judged.
_LEFT_OUT = ("disableAllHooks", "disabledHooks", "hooks")
_SETTINGS = ("config.json", "settings.json")
_COPIED = (*_SETTINGS, "lsp-config.json", "copilot-instructions.md")
_COMPLETE = ".extraction-complete"


def hooks(hook_url: str, hook_timeout: int) -> dict[str, Any]:
    """The hooks file: every event is posted to the supervisor."""
    limits = {"PreToolUse": hook_timeout} | dict.fromkeys(_REPORTS, _REPORT_TIMEOUT)
    return {
        "version": 1,
        "hooks": {
            event: [{"type": "http", "url": f"{hook_url}/{event}", "timeoutSec": seconds}]
            for event, seconds in limits.items()
        },
    }


def lay_out(home: Path, person: Path, folders: Iterable[str], hook_table: dict[str, Any]) -> None:
    """Make the private home: our hooks, copies of the person's files, links to their folders.

    Raises:
        ConfigError: a settings file cannot be used.
        LaunchFailed: something cannot be made.
    """
    private_folder(home)
    write_private(home / "hooks/taskpass.json", json.dumps(hook_table, indent=1))
    for name in _COPIED:
        text = _read(person / name)
        if name in _SETTINGS and text is not None:
            text = json.dumps(_without_hooks(person / name, text), indent=1)
        if text is not None:
            write_private(home / name, text)
    for name in folders:
        if (person / name).is_dir():
            link(home / name, str(person / name))


def unpacked(environ: Mapping[str, str], home: str, version: str, platform: str) -> Path:
    """The directory that holds `pkg/…`: what the program unpacked itself into.

    It would do so again, some 200 MB, wherever it finds nothing.

    Raises:
        LaunchFailed: it has not.
    """
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    named = (environ.get("COPILOT_PKG_CACHE_HOME"), environ.get("COPILOT_CACHE_HOME"))
    for base in (*filter(None, named), os.path.join(cache, "copilot")):
        if Path(base, "pkg", platform, version, _COMPLETE).exists():
            return Path(base)
    raise LaunchFailed(
        f"Copilot CLI {version} has not unpacked itself here yet.",
        hint="Start it once by itself (`copilot help`), then again under taskpass.",
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Cannot read {path}.", hint="Correct the file.") from error


def _without_hooks(path: Path, text: str) -> dict[str, Any]:
    # It writes comments above its own settings, each on a line of its own.
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))
    try:
        settings: Any = json.loads(plain or "{}")
    except ValueError as error:
        raise ConfigError(
            f"Cannot use {path}: {error}.", hint="Correct the file; Copilot itself needs it too."
        ) from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path} is not a JSON object.", hint="Correct the file.")
    return {key: value for key, value in settings.items() if key not in _LEFT_OUT}
