"""SSH keys, and an agent that holds some.

Sources: OpenSSH's PROTOCOL.key (the cipher's name stands in clear behind "openssh-key-v1"), RFC
1421 section 4.6.1.1 (Proc-Type) and RFC 7468 section 11 (ENCRYPTED PRIVATE KEY) for older files.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from supervisor.discovery.found import Found, Place, read

_MAGIC = b"openssh-key-v1\0"


def find(place: Place) -> Iterator[Found]:
    folder = Path(place.home, ".ssh")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        names = []
    for name in names:
        file = read(str(folder / name))
        if file is None or "PRIVATE KEY-----" not in file.text[:100]:
            continue
        told = "with a passphrase" if _has_passphrase(file.text) else "no passphrase"
        yield Found("ssh", file.path, told, since=file.changed)
    agent = place.environ.get("SSH_AUTH_SOCK", "")
    try:
        if agent and stat.S_ISSOCK(os.stat(agent).st_mode):
            yield Found("ssh-agent", agent, "signs with every key that it holds")
    except OSError:
        return


def _has_passphrase(text: str) -> bool:
    lines = text.split("-----")
    if "ENCRYPTED" in text[:200]:
        return True
    if "OPENSSH" not in lines[1] or len(lines) < 3:
        return False
    try:
        body = base64.b64decode("".join(lines[2].split()), validate=True)
    except ValueError:
        return False
    at = len(_MAGIC)
    length = int.from_bytes(body[at : at + 4], "big")
    return body.startswith(_MAGIC) and body[at + 4 : at + 4 + length] != b"none"
