"""What a tool's process is told: how to reach the proxy, and whom to believe. Pure.

The sources are the clients themselves, each tried against a proxy: every one reads its own set of
variables, so all are set.
"""

from __future__ import annotations

import shlex
from urllib.parse import quote

from supervisor.protocol import binding

_PROXY = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")
_NO_PROXY = ("NO_PROXY", "no_proxy")
_BUNDLE = (
    "SSL_CERT_FILE",  # OpenSSL, Go, httpx, urllib, Codex
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "CARGO_HTTP_CAINFO",
    "DENO_CERT",
    "PIP_CERT",
    "npm_config_cafile",
)
NAMES = frozenset((*_PROXY, *_NO_PROXY, *_BUNDLE, "NODE_USE_ENV_PROXY"))
"""Every variable set here: inherited values of these are to be dropped."""


def proxy_url(handle: str, port: int) -> str:
    """`http://CALL:CAPABILITY@127.0.0.1:PORT`; without user info for an empty handle."""
    user, colon, capability = handle.partition(":")
    info = quote(user, safe="") + colon + quote(capability, safe="")
    return f"http://{info}@127.0.0.1:{port}" if info else f"http://127.0.0.1:{port}"


def proxy_variables(url: str, *, no_proxy: str = "") -> dict[str, str]:
    """The variables that lead a client to the proxy."""
    return {
        **dict.fromkeys(_PROXY, url),
        **dict.fromkeys(_NO_PROXY, no_proxy),
        "NODE_USE_ENV_PROXY": "1",
    }


def environment(bundle: str, url: str, *, no_proxy: str = "") -> dict[str, str]:
    """All variables for a task: `bundle` is a PEM file that the task can read."""
    return {**proxy_variables(url, no_proxy=no_proxy), **dict.fromkeys(_BUNDLE, bundle)}


_UNBOUND = (
    "taskpass: this command was not started, because the supervisor did not recognise it as "
    "the call it allowed (or cannot be reached); run it again as a new tool call."
)


def shell_prefix(handle: str, port: int, no_proxy: str = "") -> str:
    """Text to put before a bash command (4.0 or later), ending with a line break.

    It ties the shell to its call and leads its programs to the proxy with the call's handle. The
    handle is no secret: it works only from below this shell. Not bound, the command does not
    start and the shell exits with 125. The shell itself connects, not a child, because the
    process tree that may use the call's credentials begins at the process that binds.
    """
    return _script(shlex.quote(handle), shlex.quote(proxy_url(handle, port)), port, no_proxy)


def bind_script(port: int, no_proxy: str = "") -> str:
    """`shell_prefix` as a file that is given the handle: what an agent shows stays short."""
    return _script('"$1"', f'"http://$1@127.0.0.1:{port}"', port, no_proxy)


def sourced(path: str, handle: str) -> str:
    """`shell_prefix` by way of the file at `path`, which the command must not be able to write."""
    return f". {shlex.quote(path)} {shlex.quote(handle)} || exit 125\n"


def _script(handle: str, url: str, port: int, no_proxy: str) -> str:
    """`handle` and `url` as bash words."""
    plain = proxy_variables("", no_proxy=no_proxy)
    leading = " ".join(f"{name}={url}" for name in _PROXY)
    others = " ".join(f"{n}={shlex.quote(v)}" for n, v in plain.items() if n not in _PROXY)
    return (
        f"if {binding.binds(handle, port)}; then unset TASKPASS_BOUND; "
        f"else echo {shlex.quote(_UNBOUND)} >&2; exit 125; fi\n"
        f"export {leading} {others}\n"
    )
