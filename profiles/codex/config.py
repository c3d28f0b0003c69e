"""The configuration a supervised Codex runs with. Pure.

The person's own `config.toml` is the base; what would take the hooks away or move work
elsewhere is replaced. Their own hooks are not carried over: their trust is bound to the path
of their file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from profiles.files import hook_command, own_limit
from profiles.tables import table

# Event → (Codex's key for it in the trust table, matcher or "").
EVENTS: Mapping[str, tuple[str, str]] = {
    "PreToolUse": ("pre_tool_use", ".*"),
    "PostToolUse": ("post_tool_use", ""),
    "UserPromptSubmit": ("user_prompt_submit", ""),
    "Stop": ("stop", ""),
    "SubagentStop": ("subagent_stop", ""),
}
# Only reports: the agent must not hang on them.
_REPORT_TIMEOUT = 15


def trusted_hash(event_key: str, matcher: str, command: str, timeout: int) -> str:
    """What Codex records when a person trusts a hook: SHA-256 over its normalised definition.

    Found by asking 0.169.0 (app-server `hooks/list`, `currentHash`): canonical JSON of the
    event, the matcher if any, and the handler with its defaults written out.
    """
    handler = {"type": "command", "command": command, "timeout": timeout, "async": False}
    identity: dict[str, Any] = {"event_name": event_key, "hooks": [handler]}
    if matcher:
        identity["matcher"] = matcher
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def hooks(config_path: str, script: str, hook_url: str, hook_timeout: int) -> dict[str, Any]:
    """The `hooks` table: one command for each event, trusted."""
    table: dict[str, Any] = {}
    state: dict[str, Any] = {}
    for event, (key, matcher) in EVENTS.items():
        timeout = hook_timeout if event == "PreToolUse" else _REPORT_TIMEOUT
        command = hook_command(script, hook_url, event, own_limit(timeout))
        handler = {"type": "command", "command": command, "timeout": timeout}
        group: dict[str, Any] = {"hooks": [handler]}
        if matcher:
            group["matcher"] = matcher
        table[event] = [group]
        state[f"{config_path}:{key}:0:0"] = {
            "trusted_hash": trusted_hash(key, matcher, command, timeout)
        }
    table["state"] = state
    return table


def provider(own: Mapping[str, Any]) -> dict[str, Any]:
    """The model provider in use; {} for the built-in one."""
    return table(table(own.get("model_providers")).get(str(own.get("model_provider", ""))))


def key_variables(own: Mapping[str, Any]) -> tuple[str, ...]:
    """Variables that carry the model's key for the person's own providers."""
    providers = table(own.get("model_providers")).values()
    keys = (table(p).get("env_key") for p in providers)
    return tuple(sorted({key for key in keys if isinstance(key, str) and key}))


def supervised(
    own: Mapping[str, Any],
    *,
    sandbox: str,
    model_secrets: Sequence[str],
    hook_table: Mapping[str, Any],
) -> dict[str, Any]:
    """The person's configuration with ours laid over it.

    `sandbox`: what of its own sandbox is to hold its tools, one of `sandbox.MODES`; "" leaves it
    to a permission profile of the person's.
    """
    config = dict(own)
    config |= {
        # Our hook decides, and a person answers there.
        "approval_policy": "never",
        "check_for_update_on_startup": False,
        "analytics": {"enabled": False},
        "feedback": {"enabled": False},
        "features": {
            **table(own.get("features")), "hooks": True, "daemon_auto_start": False,
        },
        "hooks": dict(hook_table),
    }  # fmt: skip
    if sandbox:
        config["sandbox_mode"] = sandbox
    environment = table(own.get("shell_environment_policy"))
    excluded = [str(name) for name in environment.get("exclude", [])]
    environment["exclude"] = sorted({*excluded, *model_secrets})
    config["shell_environment_policy"] = environment
    return config
