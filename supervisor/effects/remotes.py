"""Addresses of git remotes, told apart from the ways of writing them. Pure."""

from __future__ import annotations

import re

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://(?:[^/@]*@)?([^/:]+|\[[^\]]*\])(?::(\d+))?/(.*)", re.I)
_SCP = re.compile(r"(?:[^@/:\s]+@)?([^@/:\s]+|\[[^\]]*\]):(?!/)(.*)")
_PORTS = {"https": "443", "http": "80", "ssh": "22", "git": "9418"}


def place(address: str) -> str:
    """`host/path` of a remote, whatever protocol leads there; "" for anything else.

    Another port than the protocol's own makes another place: `host:8443/path`.
    """
    if (match := _URL.fullmatch(address)) is not None:
        scheme, host, port, path = match[1].lower(), match[2], match[3] or "", match[4]
        if port == _PORTS.get(scheme):
            port = ""
    elif (match := _SCP.fullmatch(address)) is not None:
        host, port, path = match[1], "", match[2]
    else:
        return ""
    path = path.strip("/").removesuffix(".git").rstrip("/")
    return f"{host.lower()}{':' + port if port else ''}/{path}" if path else ""
