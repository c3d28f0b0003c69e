"""How the supervisor itself reaches the servers that it asks: by the person's network proxy.

As for tasks: what config.toml says, else the variables of the terminal that `taskpass run` was last
typed in. A supervisor that nobody has told anything goes directly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from supervisor.channels.http import upstream
from supervisor.channels.http.message import Origin
from supervisor.config import Config


@dataclass(slots=True)
class OwnWay:
    """Finds the proxy for a request of ours."""

    config: Config
    _told: upstream.Proxies = field(default=upstream.NO_PROXIES)

    def __post_init__(self) -> None:
        if self.config.proxy:
            self._told = upstream.from_url("network.proxy", self.config.proxy, self.config.no_proxy)

    def learn(self, proxies: upstream.Proxies) -> None:
        """A task was started that goes by these."""
        if not self.config.proxy:
            self._told = proxies

    def via(self, url: str) -> tuple[str, str] | None:
        """URL of the proxy for this URL, and the value of Proxy-Authorization ("" for none)."""
        parts = urlsplit(url)
        tls = parts.scheme == "https"
        origin = Origin(parts.hostname or "", parts.port or (443 if tls else 80), tls)
        proxy = self._told.via(origin)
        return None if proxy is None else (proxy.url, proxy.login.decode("latin-1"))
