"""Codex's own sandbox: which one a command line and a configuration ask for. Pure.

Source: the program itself, 0.169.0. `-c sandbox_mode=…` beats `default_permissions` and a
project's configuration, and is beaten by `--sandbox`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

OFF = "danger-full-access"
DEFAULT = "workspace-write"
MODES = ("read-only", DEFAULT, OFF)
_NETWORK = "sandbox_workspace_write.network_access"
_PERMISSIONS = {":read-only": "read-only", ":workspace": DEFAULT, ":danger-full-access": OFF}

_SANDBOX = re.compile(r"(?:--sandbox=|-s=?)(?=[^-])(.+)")
_CONFIG = re.compile(r"(?:--config=|-c=?)(.+)")
_QUOTES = re.compile(r"[\s\"']")


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What holds the commands of its tools.

    Attributes:
        mode: one of `MODES`, or the name of a permission profile of the person's.
        network: whether `workspace-write` lets them reach the network, loopback too.
    """

    mode: str = DEFAULT
    network: bool = False

    @property
    def online(self) -> bool:
        """Whether its commands are known to reach our proxy, on loopback."""
        return self.mode == OFF or (self.mode == DEFAULT and self.network)

    @property
    def options(self) -> list[str]:
        """The command line's words that make it so, whatever a project's configuration says."""
        if self.mode not in MODES:
            return []
        network = "true" if self.network else "false"
        return [
            *("-c", f'sandbox_mode="{self.mode}"'),
            *("-c", f"sandbox_workspace_write.network_access={network}"),
        ]

    @property
    def words(self) -> str:
        """For the screen and the record."""
        if self.mode == OFF:
            return "off, as you have it"
        words = f"its own ({self.mode})"
        return words if self.online else f"{words}, no network: its commands get no credential"


def asked_for(own: Mapping[str, Any], arguments: Sequence[str]) -> Sandbox:
    """The sandbox of the person's own configuration and command line; the last word counts."""
    sandbox = Sandbox()
    mode = own.get("sandbox_mode")
    if mode in MODES:
        sandbox = replace(sandbox, mode=str(mode))
    if permissions := own.get("default_permissions"):
        sandbox = replace(sandbox, mode=_permissions(str(permissions)))
    workspace = own.get("sandbox_workspace_write")
    if isinstance(workspace, Mapping):
        sandbox = replace(sandbox, network=workspace.get("network_access") is True)
    for key, value in _settings(arguments):
        if key == _NETWORK:
            sandbox = replace(sandbox, network=value == "true")
        else:
            sandbox = replace(sandbox, mode=value)
    return sandbox


def on_command_line(arguments: Sequence[str]) -> str:
    """The mode that the command line itself asks for, "" where it does not."""
    modes = [value for key, value in _settings(arguments) if key != _NETWORK]
    return modes[-1] if modes else ""


def _permissions(name: str) -> str:
    return _PERMISSIONS.get(name, name)


def _settings(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What the command line says of the sandbox: a mode (as `sandbox_mode`), or `_NETWORK`."""
    previous = ""
    for argument in arguments:
        if argument == "--":
            return
        text = ""
        if argument in ("--dangerously-bypass-approvals-and-sandbox", "--yolo"):
            text = f"sandbox_mode={OFF}"
        elif argument == "--approve-for-me":
            text = f"sandbox_mode={DEFAULT}"
        elif previous in ("--sandbox", "-s"):
            text = f"sandbox_mode={argument}"
        elif previous in ("-c", "--config"):
            text = argument
        elif found := _SANDBOX.match(argument):
            text = f"sandbox_mode={found[1]}"
        elif found := _CONFIG.match(argument):
            text = found[1]
        key, _, value = text.partition("=")
        key, value = (_QUOTES.sub("", word) for word in (key, value))
        if key in ("sandbox_mode", _NETWORK):
            yield key, value
        elif key == "default_permissions":
            yield "sandbox_mode", _permissions(value)
        previous = argument
