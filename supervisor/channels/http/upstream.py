"""Which proxy of the person's network a connection goes through, if any. Pure.

Read as curl and Go read these variables, lower case before upper: `https_proxy`, `http_proxy`,
`all_proxy`, `no_proxy`. A task never sees them: its own variables name ours, and the password for
the network's proxy stays here.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes, urlsplit

from supervisor.channels.http.message import Origin
from supervisor.errors import UsageError

DIRECT = "none"  # instead of a URL: no proxy, whatever the environment says


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy of the network. `login` is the value of Proxy-Authorization, b"" for none."""

    host: str
    port: int
    tls: bool
    login: bytes = field(default=b"", repr=False)

    @property
    def url(self) -> str:
        """Without the log-in."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Proxies:
    """What the person's environment, or configuration, says. The default: no proxy at all.

    Attributes:
        exceptions: entries of NO_PROXY: `host`, `.domain`, `host:port`, an address, a network as
            `10.0.0.0/8`, or `*`. A host's name stands for all below it too.
    """

    https: Proxy | None = None
    http: Proxy | None = None
    exceptions: tuple[str, ...] = ()

    def via(self, origin: Origin) -> Proxy | None:
        """The proxy for connections to `origin`, None for none. Loopback never has one."""
        proxy = self.https if origin.tls else self.http
        if proxy is None or _is_exception(origin, self.exceptions):
            return None
        return proxy

    def without_logins(self) -> dict[str, str]:
        """All of it as text that may be kept in a file: `restored` reads it."""
        told = {"https": self.https, "http": self.http}
        kept = {name: proxy.url for name, proxy in told.items() if proxy is not None}
        return kept | ({"no": ",".join(self.exceptions)} if kept else {})


NO_PROXIES = Proxies()


def from_environment(environ: Mapping[str, str]) -> Proxies:
    """What a person's variables say.

    Raises:
        UsageError: one of them names no HTTP proxy.
    """

    def told(*names: str) -> tuple[str, str]:
        for name in names:
            for spelled in (name, name.upper()):
                if value := environ.get(spelled, "").strip():
                    return spelled, value
        return "", ""

    https, http = (
        _proxy(name, url) if url else None
        for name, url in (told("https_proxy", "all_proxy"), told("http_proxy", "all_proxy"))
    )
    return Proxies(https, http, _exceptions(told("no_proxy")[1]))


def from_url(name: str, url: str, exceptions: Sequence[str] = ()) -> Proxies:
    """One proxy for all. `name` is the setting, for what is said of a wrong one.

    Raises:
        UsageError: it is no HTTP proxy.
    """
    if url == DIRECT:
        return Proxies()
    proxy = _proxy(name, url)
    return Proxies(proxy, proxy, _exceptions(",".join(exceptions)))


def restored(kept: Mapping[str, str], logins: Mapping[str, bytes]) -> Proxies:
    """What `without_logins` gave, with the log-ins that are known, by URL."""

    def proxy(name: str) -> Proxy | None:
        if not (url := kept.get(name)):
            return None
        return replace(_proxy(name, url), login=logins.get(url, b""))

    return Proxies(proxy("https"), proxy("http"), _exceptions(kept.get("no", "")))


def _proxy(name: str, url: str) -> Proxy:
    """Never shows the URL in an error: it may hold a password."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme.startswith("socks"):
        raise UsageError(
            f"{name} names a SOCKS proxy; taskpass goes through HTTP proxies only.",
            hint="Name the network's HTTP proxy, or set network.proxy in config.toml "
            f'("{DIRECT}" for none).',
        )
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(
            f"{name} does not name a proxy.",
            hint="It must be a URL such as http://proxy.corp:3128.",
        )
    login = b""
    if parts.username is not None:
        user, password = (unquote_to_bytes(part or "") for part in (parts.username, parts.password))
        login = b"Basic " + base64.b64encode(user + b":" + password)
    tls = parts.scheme == "https"
    return Proxy(host.lower(), port or (443 if tls else 80), tls, login)


def _exceptions(text: str) -> tuple[str, ...]:
    return tuple(entry for entry in text.lower().replace(",", " ").split() if entry)


def _is_exception(origin: Origin, exceptions: Sequence[str]) -> bool:
    host = origin.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or host.endswith(".localhost") or (address and address.is_loopback):
        return True
    for entry in exceptions:
        if entry == "*":
            return True
        if address is not None and _holds(entry, address):
            return True
        name, colon, port = entry.rpartition(":")
        if colon and port.isdecimal() and not name.endswith(":"):
            if int(port) != origin.port:
                continue
            entry = name
        name = entry.strip("[]").removeprefix("*").strip(".")
        if name and (host == name or (address is None and host.endswith("." + name))):
            return True
    return False


def _holds(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
