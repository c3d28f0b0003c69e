"""What a tool writes into a file, and whether that would reach outward once it is executed.

No reading of programs: words that tell what configuration which runs by itself could do. They
count only there; what an ordinary file does is judged when something executes it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TEXTS = (
    "content", "new_string", "new_source", "new_str", "newString", "newText", "file_text",
    "insert_text", "text",
)  # fmt: skip

_NETWORK = re.compile(
    r"""
    \b(?:curl|wget|nc|ncat|netcat|socat|telnet|scp|sftp|rsync|ftp|ssh|nslookup|dig)\b
    | \b(?:invoke-webrequest|invoke-restmethod|iwr|irm|start-bitstransfer|certutil)\b
    | /dev/(?:tcp|udp)/ | \burllib\b | \brequests\.\w+\( | \bhttp\.client\b | \bsocket\b
    | \bfetch\( | \bnet\.connect\b | require\(['"]https?['"]\)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SECRETS = re.compile(
    r"""
    \bsecrets\b | \bprintenv\b | \bcredentials?\b | \b\w*_(?:token|secret|password|key)\b
    | \.(?:ssh|gnupg|aws|kube|netrc|npmrc|pypirc|git-credentials|env)\b | \bid_(?:rsa|ed25519)\b
    | \bprocess\.env\b | \bos\.environ\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CODE = re.compile(
    r"""
    \|\s*(?:ba|z|da|k)?sh\b | \b(?:ba|z|da|k)?sh\s+-\w*c\b | \beval\b
    | \b(?:python3?|node|perl|ruby|php)\s+-\w*[ce]\b | \b(?:base64|xxd)\b | \bos\.system\b
    | \bsubprocess\b | \bchild_process\b | \bexec\s*\( | \b__import__\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# In a CI workflow: more rights, another machine, or code of a third party.
_RIGHTS = re.compile(
    r"\bpull_request_target\b|\bself-hosted\b|\bwrite-all\b|\buses:\s*(?!\s|actions/|\./|['\"])",
    re.IGNORECASE,
)


def written(arguments: Mapping[str, Any]) -> str | None:
    """The text that a file tool's arguments put into its file, whatever the agent calls it.

    None when none of them is known to be one.
    """
    texts = [arguments.get(name) for name in _TEXTS]
    edits = arguments.get("edits")
    for edit in edits if isinstance(edits, list) else []:
        if isinstance(edit, Mapping):
            texts += [edit.get(name) for name in _TEXTS]
    found = [text for text in texts if isinstance(text, str)]
    return "\n".join(found) if found else None


def content_of(text: str | None) -> str:
    """What `text` could do, executed: "outward" when it sends secrets out or runs what it
    fetches, "sensitive" when it does part of that, else "plain"; "unknown" without a text."""
    if text is None:
        return "unknown"
    network, secrets, code = (
        pattern.search(text) is not None for pattern in (_NETWORK, _SECRETS, _CODE)
    )
    if network and (secrets or code):
        return "outward"
    return "sensitive" if network or secrets or code or _RIGHTS.search(text) else "plain"
