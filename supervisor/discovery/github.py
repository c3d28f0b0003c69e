"""gh, GitHub's command line.

Source: `gh help environment` (GH_CONFIG_DIR, XDG_CONFIG_HOME) and cli/cli's internal/config:
`hosts.yml` maps a host to `user`, `users` and, where no keyring took it, `oauth_token`. Scopes are
told by GitHub only (the header X-OAuth-Scopes), so they are not known here; what kind of token it
is stands in its prefix (GitHub: "Behind GitHub's new authentication token formats").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from supervisor.discovery.found import Found, Place, Way, read

_KINDS = {
    "gho_": "OAuth token",
    "ghp_": "classic token",
    "github_pat_": "fine-grained token",
    "ghu_": "app token",
    "ghs_": "app token",
}


def find(place: Place) -> Iterator[Found]:
    folder = place.environ.get("GH_CONFIG_DIR") or place.config("gh")
    file = read(f"{folder}/hosts.yml")
    if file is None:
        return
    import yaml

    try:
        hosts = yaml.load(file.text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except (yaml.YAMLError, RecursionError):
        return
    for host, entry in (hosts if isinstance(hosts, dict) else {}).items():
        if isinstance(host, str) and isinstance(entry, dict):
            yield _found(file.path, file.changed, host.lower(), entry)


def _found(path: str, changed: float, host: str, entry: dict[str, Any]) -> Found:
    user = str(entry.get("user") or "")
    users = entry.get("users")
    account = users.get(user) if isinstance(users, dict) else None
    account = account if isinstance(account, dict) else {}
    token = str(entry.get("oauth_token") or account.get("oauth_token") or "")
    kind = next((words for prefix, words in _KINDS.items() if token.startswith(prefix)), "token")
    where = kind if token else "token in the keyring"
    return Found(
        "gh",
        path,
        f"{user}, {where}" if user else where,
        Way.REFERENCE,
        hosts=(host, f"api.{host}") if host == "github.com" else (host,),
        names=(user,) if user else (),
        since=changed,
        reference=f"cmd://gh auth token --hostname {host}",
    )
