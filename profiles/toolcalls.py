"""Checked access to the fields of a hook input. Pure: malformed input is a ValueError."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

_PATCHED = re.compile(r"^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+?)\s*$", re.M)


def text(event: Mapping[str, Any], key: str, *, required: bool = True) -> str:
    """A string field; "" when it may be missing and is."""
    value = event.get(key)
    if isinstance(value, str) and (value or not required):
        return value
    if value is None and not required:
        return ""
    raise ValueError(f"{key} is not a text")


def mapping(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A field that must be an object."""
    value = event.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not an object")
    return value


def texts(event: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A field that may be missing, and is a list of strings."""
    value = event.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{key} is not a list of texts")
    return tuple(value)


def working_directory(event: Mapping[str, Any]) -> str:
    """`cwd`, which must be absolute: relative paths are judged against it."""
    cwd = text(event, "cwd")
    if not os.path.isabs(cwd):
        raise ValueError("cwd is not absolute")
    return cwd


def absolute(path: str, cwd: str, home: str = "") -> str:
    """An absolute, lexically normalised path. A leading `~/` is the home's."""
    if home and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    return os.path.normpath(os.path.join(cwd, path))


def patched(patch: str, cwd: str) -> tuple[str, ...]:
    """The files that a patch ("*** Begin Patch") names. None named: not one that we understand.

    Raises:
        ValueError: no file is named.
    """
    found = tuple(dict.fromkeys(absolute(name, cwd) for name in _PATCHED.findall(patch)))
    if not found:
        raise ValueError("a patch without files")
    return found


def same_call(tool: str, arguments: Mapping[str, Any], subagent: str) -> str:
    """A name for a call whose agent gives it none: the same for the same words.

    So the end of a call that is told with its arguments finds its beginning; two that say the
    same at once cannot be told apart.
    """
    words = json.dumps([tool, arguments, subagent], sort_keys=True)
    return f"same-{hashlib.sha256(words.encode()).hexdigest()[:24]}"
