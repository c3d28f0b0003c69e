"""The credential protocol of git (gitcredentials(7), git-credential(1)): read and written. Pure.

A question is `key=value` lines, ended by an empty line. What is not plain in it is refused: git
itself writes none of that, and values with line breaks have led other helpers to answer for
another host (CVE-2020-5260, CVE-2020-11008).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from supervisor.errors import TaskpassError

LIMIT = 16 * 1024  # bytes of a whole question
END = b"\n\n"

_KEY = re.compile(r"[a-z_]{1,64}(\[\])?")
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:[0-9]{1,5})?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class BadQuestion(TaskpassError):
    """What came is not a question git asks. Nothing is answered to it."""

    code, status, exit_code = "bad_credential_request", 400, 1


@dataclass(frozen=True, slots=True)
class Question:
    """What git wants a user name and password for."""

    protocol: str
    host: str  # lower case, with the port where one was named
    path: str  # without a slash at its start; "" where git does not say (`useHttpPath`)
    username: str = ""

    @property
    def repository(self) -> str:
        """`HOST/PATH` without `.git`, as people name it."""
        return f"{self.host}/{self.path}".removesuffix("/").removesuffix(".git")


def parse(data: bytes) -> Question:
    """Read a question; what comes after its first empty line is not looked at.

    Raises:
        BadQuestion: it is too long, or not what git sends.
    """
    if len(data) > LIMIT:
        raise too_long()
    try:
        text = data.partition(END)[0].decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise _malformed() from None
    found: dict[str, str] = {}
    for line in text.split("\n") if text else ():
        key, equals, value = line.partition("=")
        if not equals or not _KEY.fullmatch(key) or _CONTROLS.search(value):
            raise _malformed()
        if key in found and not key.endswith("[]"):
            raise _malformed()
        found[key] = value
    host = found.get("host", "").lower()
    if "protocol" not in found or not _HOST.fullmatch(host):
        raise _malformed()
    path = found.get("path", "").lstrip("/")
    return Question(found["protocol"], host, path, found.get("username", ""))


def too_long() -> BadQuestion:
    return BadQuestion(f"The credential question is longer than {LIMIT} bytes.")


def _malformed() -> BadQuestion:
    return BadQuestion(
        "The credential question is malformed: lines of key=value, without control characters.",
        hint="Let git ask by itself, or use `git credential fill`.",
    )


def answer(username: str, password: str, expires: float) -> bytes:
    """What git uses; versions before 2.40 pass over the expiry (POSIX seconds)."""
    return (
        f"username={username}\npassword={password}\npassword_expiry_utc={int(expires)}\n"
    ).encode()


def refusal(error: TaskpassError) -> bytes:
    """Git stops there, without a prompt; the helper's script shows the words of the first line."""
    return f"{SAY}taskpass: {_CONTROLS.sub(' ', str(error))}\nquit=1\n".encode()


SAY = "say "
