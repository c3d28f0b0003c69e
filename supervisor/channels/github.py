"""What gh is told in a task: stand-ins for its log-ins, and the socket that its requests go to.

A configuration of its own (`GH_CONFIG_DIR`), since the person's holds the real token. Source: gh's
manual ("environment", "config"), and its source for hosts.yml and `http_unix_socket`. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from supervisor.model import CredentialSpec

_DOT_COM = "github.com"
_GITHUB = frozenset({_DOT_COM, "api.github.com"})
_RESIDENT = ".ghe.com"  # GitHub Enterprise Cloud with data residency


def hosts(spec: CredentialSpec) -> tuple[str, ...]:
    """The hosts, as gh names them, that this credential is a log-in to; none for most.

    An Enterprise Server is told by the option `forge=github`, or by the API of a GitHub App.
    """
    found: dict[str, None] = {}
    api = urlsplit(spec.options.get("api", "")).netloc
    for host in spec.hosts:
        if host in _GITHUB:
            found[_DOT_COM] = None
        elif host.endswith(_RESIDENT):
            found[host.removeprefix("api.")] = None
        elif spec.options.get("forge") == "github" or (spec.issuer == "github-app" and host == api):
            found[host] = None
    return tuple(found)


def files(stand_ins: Mapping[str, str], socket: str) -> dict[str, str]:
    """Name → text of the configuration.

    Args:
        stand_ins: host → stand-in.
        socket: path of the unix socket, "" to have requests go through the proxy.
    """
    log_ins = "".join(
        f"{json.dumps(host)}:\n    user: taskpass\n    oauth_token: {json.dumps(text)}\n"
        "    git_protocol: https\n"
        for host, text in stand_ins.items()
    )
    settings = 'version: "1"\ngit_protocol: https\nprompt: disabled\n'
    if socket:
        settings += f"http_unix_socket: {json.dumps(socket)}\n"
    return {"hosts.yml": log_ins, "config.yml": settings}


def variables(folder: str) -> dict[str, str]:
    """What leads gh there; and it asks nobody, and looks for no newer version of itself."""
    return {"GH_CONFIG_DIR": folder, "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1"}
