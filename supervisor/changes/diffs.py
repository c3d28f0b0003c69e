"""A change of a text file as a unified diff. Pure."""

from __future__ import annotations

import difflib

MOST = 512 * 1024  # bytes of a file that is shown line by line; callers may cut behind that
_MOST_LINES = 8000  # of both together: a diff takes time that grows faster than they do


def unified(path: str, before: bytes | None, after: bytes | None) -> str:
    """The diff between two contents, None standing for no file; "" where they are the same.

    Content that is no text, or too long, is told in one line. The text is as the files have it:
    whoever shows it makes control characters visible.
    """
    if before == after:
        return ""
    old, new = before or b"", after or b""
    names = ("/dev/null" if before is None else f"a/{path}", f"b/{path}")
    if after is None:
        names = (names[0], "/dev/null")
    head = f"--- {names[0]}\n+++ {names[1]}\n"
    if max(len(old), len(new)) > MOST:
        return f"{head}Too long to show.\n"
    try:
        left, right = old.decode(), new.decode()
    except UnicodeDecodeError:
        return f"{head}Not a text.\n"
    if "\0" in left or "\0" in right:
        return f"{head}Not a text.\n"
    a, b = left.splitlines(keepends=True), right.splitlines(keepends=True)
    if len(a) + len(b) > _MOST_LINES:
        return f"{head}Too long to show: {len(a)} to {len(b)} lines.\n"
    return "".join(_whole(line) for line in difflib.unified_diff(a, b, *names))


def _whole(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
