"""What a tool writes into a file, and whether it would reach outward once it is executed.

No reading of programs: a few words that configuration which runs by itself rarely needs. They
only count there; in ordinary files the contained execution stops what they would do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TEXTS = ("content", "new_string", "new_source", "new_str", "file_text", "insert_text", "text")
_OUTWARD = re.compile(
    r"""
    \b(?:curl|wget|nc|ncat|netcat|socat|telnet|scp|sftp|rsync|ftp|ssh|nslookup|dig)\b
    | \b(?:invoke-webrequest|invoke-restmethod|iwr|irm|start-bitstransfer|certutil)\b
    | /dev/(?:tcp|udp)/
    | \b(?:base64|xxd|openssl\s+enc)\b
    | \b(?:ba|z|da|k)?sh\s+-\w*c\b | \b(?:python3?|node|perl|ruby|php)\s+-\w*[ce]\b | \beval\b
    | tojson\(\s*secrets | \bprintenv\b
    | \.(?:ssh|gnupg|aws|kube|netrc|npmrc|pypirc|git-credentials|env)\b
    | \bpull_request_target\b
    | /tmp/
    """,
    re.VERBOSE | re.IGNORECASE,
)


def written(arguments: Mapping[str, Any]) -> str:
    """The text that a file tool's arguments put into its file, whatever the agent calls it."""
    texts = [arguments.get(name) for name in _TEXTS]
    for edit in arguments["edits"] if isinstance(arguments.get("edits"), list) else []:
        if isinstance(edit, Mapping):
            texts += [edit.get(name) for name in _TEXTS]
    return "\n".join(text for text in texts if isinstance(text, str))


def outward(text: str) -> bool:
    """Whether `text`, executed, may send data out, fetch code, or read secrets."""
    return _OUTWARD.search(text) is not None
