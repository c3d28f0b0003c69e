"""What a file tool would do to its file, as a diff; and what other tools are given, in full.

The arguments are those of the agents' own tools: `content` writes a whole file, `old_string` and
`new_string` (or a list of `edits`) replace text in it, a patch is its own diff. The text is as the
agent wrote it: whoever shows it makes control characters visible.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from typing import Any

from supervisor.changes.diffs import MOST, unified
from supervisor.model import ToolCall, ToolKind

_PATCH = "*** Begin Patch"
_WHOLE = ("content", "file_text")
_OLD = ("old_string", "old_str", "oldString", "oldText")
_NEW = ("new_string", "new_str", "newString", "newText", "new_source", "insert_text")
_ALL = ("replace_all", "replaceAll")
# Their text is in the title already, or in the diff.
_TOLD = frozenset({ToolKind.SHELL, ToolKind.READ})

Read = Callable[[str], bytes | None]


def current(path: str) -> bytes | None:
    """The regular file at `path`, up to one byte more than a diff shows; None for anything else."""
    try:
        # Not blocking: it may be a named pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return os.read(descriptor, MOST + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def diff_of(call: ToolCall, read: Read = current) -> str:
    """What the call would change, as a unified diff or the agent's own patch; "" for nothing known.

    Text that is to be replaced and is not in the file stands alone, and the diff says so.
    """
    if call.kind is not ToolKind.WRITE or _PATCH in call.command:
        return ""
    arguments = call.arguments
    for value in arguments.values():
        if isinstance(value, str) and _PATCH in value:
            return value
    if not call.paths:
        return ""
    path = call.paths[0]
    whole = _text(arguments, _WHOLE)
    if whole is not None:
        return unified(path.lstrip("/"), read(path), whole.encode("utf-8", "replace"))
    before = read(path)
    after, strays = before or b"", []
    edits = arguments.get("edits")
    for edit in edits if isinstance(edits, list) else [arguments]:
        if not isinstance(edit, Mapping) or (new := _text(edit, _NEW)) is None:
            continue
        old, found = (_text(edit, _OLD) or "").encode("utf-8", "replace"), new.encode()
        if old and old in after:
            after = after.replace(
                old, found, -1 if any(edit.get(name) is True for name in _ALL) else 1
            )
        else:
            strays.append(unified(path.lstrip("/"), old or None, found))
    known = unified(path.lstrip("/"), before, after) if after != (before or b"") else ""
    notes = ["The text to be replaced is not in the file as it is now:\n", *strays]
    return known + ("".join(notes) if strays and before is not None else "".join(strays))


def arguments_of(call: ToolCall) -> str:
    """What a tool without a command is given, as indented JSON; "" where it is shown otherwise."""
    if call.kind in _TOLD or call.command or not call.arguments:
        return ""
    return json.dumps(dict(call.arguments), indent=2, ensure_ascii=False, default=str)


def _text(arguments: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((v for name in names if isinstance(v := arguments.get(name), str)), None)
