"""How a task's connections leave the machine: by which proxy of the network, believing whom.

Both are the person's own settings: those of config.toml, else the variables of the terminal that
`taskpass run` was typed in. The task is given neither; what it believes is a bundle that holds the
system's roots, these, and our authority.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor.channels.http import upstream
from supervisor.channels.http.dial import upstream_context
from supervisor.config import Config
from supervisor.errors import ConfigError, UsageError

# Files of further authorities, each beside the system's.
_ROOTS = ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_KEPT = "roots"  # in what is kept of a task's way, the paths of such files


@dataclass(slots=True)
class WaysOut:
    """Finds each task's way, and finds it again for a supervisor that takes the task over.

    A way is kept as text without a password. Passwords of proxies stay in memory: a supervisor
    that is started anew knows them from the configuration, or from the next `taskpass run`.

    Args:
        config: the person's.
        system: file of the system's roots.
        bundle: the system's roots and our authority, PEM.
        learn: is told by which proxies a task was started.
    """

    config: Config
    system: Path
    bundle: bytes
    learn: Callable[[upstream.Proxies], None] = lambda proxies: None
    _logins: dict[str, bytes] = field(default_factory=dict, repr=False)
    _contexts: dict[tuple[str | bool, ...], ssl.SSLContext] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._context((), False)  # what is wrong with the configuration is said at once
        self._remember(self._configured())

    def of(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The way of a task that is started with these variables.

        Raises:
            UsageError: a variable names no HTTP proxy, or no certificates.
        """
        proxies = self._configured() or upstream.from_environment(environ)
        self._remember(proxies)
        self.learn(proxies)
        roots = self._roots(environ)
        return proxies.without_logins() | ({_KEPT: os.pathsep.join(roots)} if roots else {})

    def channel(self, way: Mapping[str, str]) -> dict[str, Any]:
        """What a channel is told of a way."""
        return {
            "proxies": upstream.restored(way, self._logins),
            "upstream_tls": lambda http2: self._context(_files(way), http2),
        }

    def believed(self, way: Mapping[str, str]) -> bytes:
        """The bundle for a task, PEM."""
        further = (self.config.extra_roots, *_files(way))
        texts = [Path(path).read_bytes() for path in further if path and os.path.isfile(path)]
        return b"\n".join((self.bundle.rstrip(b"\n"), *texts)) if texts else self.bundle

    def _configured(self) -> upstream.Proxies | None:
        if not self.config.proxy:
            return None
        return upstream.from_url("network.proxy", self.config.proxy, self.config.no_proxy)

    def _remember(self, proxies: upstream.Proxies | None) -> None:
        for proxy in (proxies.https, proxies.http) if proxies else ():
            if proxy is not None and proxy.login:
                self._logins[proxy.url] = proxy.login

    def _roots(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        """Files that the variables name, but for the system's own."""
        found: dict[str, None] = {}
        for name in _ROOTS:
            path = environ.get(name, "")
            # What is not there makes nobody believed; other programs say so themselves.
            if not os.path.isabs(path) or not os.path.isfile(path):
                continue
            if os.path.samefile(path, self.system):
                continue
            try:
                self._context((path,), False)
            except ConfigError as error:
                raise UsageError(
                    f"{name} names {path}, which holds no certificates in PEM form.",
                    hint="Correct the variable, or unset it.",
                ) from error
            found[path] = None
        return tuple(found)

    def _context(self, roots: tuple[str, ...], http2: bool) -> ssl.SSLContext:
        stamps = (f"{path}:{os.stat(path).st_mtime_ns}" for path in roots)
        known: tuple[str | bool, ...] = (http2, *stamps)
        if known not in self._contexts:
            self._contexts[known] = upstream_context(self.config.extra_roots, *roots, http2=http2)
        return self._contexts[known]


def _files(way: Mapping[str, str]) -> tuple[str, ...]:
    """Those that are still there: one that is gone makes nobody believed."""
    paths = way.get(_KEPT, "").split(os.pathsep)
    return tuple(path for path in paths if path and os.path.isfile(path))
