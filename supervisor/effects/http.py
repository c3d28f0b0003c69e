"""The effect of fetching a URL."""

from __future__ import annotations

from urllib.parse import urlsplit

from supervisor.model import Effect, Verb


def http_effect(url: str, method: str = "GET") -> Effect:
    """`method` on the URL's host and path (without the query).

    The resource is `host` or `host:port`, lower case, as channels write it. A URL we cannot
    read gives an effect on the host "" which no rule allows.
    """
    try:
        parts = urlsplit(url if "//" in url else f"https://{url}")
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return Effect(Verb.HTTP, "", {"method": method, "path": "", "port": 0})
    default = 80 if parts.scheme == "http" else 443
    shown = f"[{host}]" if ":" in host else host
    resource = shown if port in {None, default} or not host else f"{shown}:{port}"
    return Effect(
        Verb.HTTP,
        resource,
        {"method": method, "path": parts.path or "/", "port": port or default},
    )
