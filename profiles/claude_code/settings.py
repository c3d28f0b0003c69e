"""The settings file that a supervised Claude Code is started with. Pure but for reading one file.

One entry of the wrong shape makes Claude Code discard the whole file, our hooks with it, and go
on with a warning. So of the person's own `--settings` only keys whose shape we can check are
merged; anything else is refused before the start.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.options import commander
from supervisor.errors import ConfigError, UsageError

# Events that Claude Code posts by HTTP; SessionStart is not among them.
EVENTS = (
    "PreToolUse", "PostToolUse", "PostToolUseFailure", "UserPromptSubmit", "Stop", "StopFailure",
    "SubagentStop", "Notification", "SessionEnd",
)  # fmt: skip
_TOOL_EVENTS = frozenset({"PreToolUse", "PostToolUse", "PostToolUseFailure"})
# Only reports: the agent must not hang on them.
_REPORT_TIMEOUT = 15


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _text_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, value.values()))


_PERMISSIONS: Mapping[str, Callable[[Any], bool]] = {
    "allow": _texts,
    "ask": _texts,
    "deny": _texts,
    "additionalDirectories": _texts,
}


def _permissions(value: Any) -> bool:
    return isinstance(value, dict) and all(
        key in _PERMISSIONS and _PERMISSIONS[key](item) for key, item in value.items()
    )


_MERGED: Mapping[str, Callable[[Any], bool]] = {
    "permissions": _permissions,
    "env": _text_map,
    "model": _text,
    "outputStyle": _text,
    "language": _text,
    "includeCoAuthoredBy": _flag,
    "alwaysThinkingEnabled": _flag,
}


def take_settings(arguments: Sequence[str]) -> tuple[list[str], str]:
    """The command line without `--settings`, and its last value ("" without one).

    Raises:
        UsageError: `--settings` has no value.
    """
    rest, values = commander(arguments, "--settings")
    if "" in values:
        raise UsageError("--settings needs a value.", hint="Name a file, or give JSON text.")
    return rest, values[-1] if values else ""


def read_settings(value: str, cwd: str) -> dict[str, Any]:
    """The person's own settings, from a file name or JSON text; checked key by key.

    Raises:
        ConfigError: it cannot be read, or holds what cannot be merged safely.
    """
    if not value:
        return {}
    source = "--settings"
    text = value
    if not value.lstrip().startswith("{"):
        path = Path(cwd, value)
        source = str(path)
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"Cannot read the settings file {path}.", hint="Check --settings."
            ) from error
    try:
        settings = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{source}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}).",
            hint="Correct it, or leave --settings out.",
        ) from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{source} is not a JSON object.", hint="Correct it, or leave it out.")
    for key, item in settings.items():
        check = _MERGED.get(key)
        if check is None or not check(item):
            raise ConfigError(
                f"{source}: {key!r} cannot be merged into a supervised session's settings.",
                hint="Move it to your user or project settings: "
                f"--settings may hold {', '.join(_MERGED)}.",
            )
    return settings


def sandbox_setting(files: Sequence[Path]) -> Path | None:
    """Which of the person's settings files switches Claude Code's own sandbox on.

    `files`: strongest first; the first that says anything decides. What cannot be read counts
    for nothing, as with Claude Code itself.
    """
    for file in files:
        try:
            settings = json.loads(file.read_text("utf-8"))
            enabled = settings["sandbox"]["enabled"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(enabled, bool):
            return file if enabled else None
    return None


def supervised(
    own: Mapping[str, Any],
    hook_url: str,
    hook_timeout: int,
    env: Mapping[str, str],
    *,
    contained: bool,
) -> dict[str, Any]:
    """The settings with our hooks; ours win over the person's own."""
    hooks: dict[str, Any] = {}
    for event in EVENTS:
        hook: dict[str, Any] = {"type": "http", "url": f"{hook_url}/{event}"}
        if event == "PreToolUse":
            hook |= {"onFailure": "block", "timeout": hook_timeout}
        else:
            hook |= {"timeout": _REPORT_TIMEOUT}
        matcher = {"matcher": "*"} if event in _TOOL_EVENTS else {}
        hooks[event] = [{**matcher, "hooks": [hook]}]
    # Inside ours its own sandbox cannot start, whatever the person's or a project's settings say.
    sandbox = {"sandbox": {"enabled": False}} if contained else {}
    return {
        **own,
        **sandbox,
        "env": {**own.get("env", {}), **env},
        # Explicit, because `true` in project settings would take our hooks away.
        "disableAllHooks": False,
        "hooks": hooks,
    }


def managed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What of them nobody may take away: for the machine's own settings file, in its container.

    Hooks of that file alone run then, also where an option or a settings file drops all others.
    """
    ours = {key: settings[key] for key in ("hooks", "disableAllHooks", "env")}
    return {**ours, "allowManagedHooksOnly": True}
