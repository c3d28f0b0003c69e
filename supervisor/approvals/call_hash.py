"""The call hash: what an approval is bound to.

`sha256:<hex>` of the RFC 8785 (JSON Canonicalization Scheme) form of this object:

| field        | value                                                                     |
|--------------|---------------------------------------------------------------------------|
| `v`          | 1                                                                         |
| `profile`    | name of the agent's profile                                               |
| `tool`       | the agent's own name for the tool, MCP server included                    |
| `kind`       | what the profile takes the tool for                                       |
| `arguments`  | what the agent asked for, verbatim, without words about the call (below)  |
| `command`    | the shell text, "" for other tools                                        |
| `paths`      | files a file tool names                                                   |
| `url`        | of a fetch                                                                |
| `cwd`        | real path of the working directory                                        |
| `executable` | digest of the agent's executable, "" where not given                      |
| `files`      | real path → digest of each existing file that the call names              |
| `snapshot`   | digest of the agent's shell snapshot, "" where there is none              |
| `definition` | digest of the tool's definition, "" where not given                       |

Not bound: `description` and `justification` of shell and subagent tools (they are the model's
words; an MCP tool's `description` is an argument like any other), the agent's call id, its
claim of a subagent, its note, and our own handles. A file of more than 1 MiB is bound by
device, inode, size and times instead of its content.

The hash binds the request, not what the programs it starts will do.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import Any

from supervisor.canonical import canonical
from supervisor.errors import Denied
from supervisor.model import ToolCall, ToolKind

_WORDS_ABOUT = frozenset({"description", "justification"})
_BY_CONTENT = 1 << 20  # bytes
_MAX_FILES = 64
_SPLIT = re.compile(r"[\s;&|<>()\"'`=,@$]+")


def call_hash(
    call: ToolCall,
    *,
    profile: str,
    executable: str = "",
    files: Mapping[str, str] | None = None,
    snapshot: str = "",
    definition: str = "",
) -> str:
    """The hash of `call`; see the table above.

    Args:
        call: as the profile normalised it.
        profile: the profile's name.
        executable, snapshot, definition: digests, where they are known.
        files: digests of bound files; None reads those that the call names.

    Raises:
        Denied: the arguments have no canonical form, so nothing could be bound to them.
    """
    arguments: Mapping[str, Any] = call.arguments
    if call.kind in (ToolKind.SHELL, ToolKind.AGENT):
        arguments = {k: v for k, v in arguments.items() if k not in _WORDS_ABOUT}
    table: dict[str, Any] = {
        "v": 1,
        "profile": profile,
        "tool": call.tool,
        "kind": call.kind.value,
        "arguments": dict(arguments),
        "command": call.command,
        "paths": list(call.paths),
        "url": call.url,
        "cwd": os.path.realpath(call.cwd),
        "executable": executable,
        "files": dict(files if files is not None else named_files(call)),
        "snapshot": snapshot,
        "definition": definition or call.definition,
    }
    try:
        form = canonical(table)
    except (ValueError, RecursionError) as error:
        raise Denied(
            "The call's arguments have no canonical form, so an answer could not be bound to them.",
            hint="Use whole numbers below 2^53 and well-formed text.",
        ) from error
    return "sha256:" + hashlib.sha256(form).hexdigest()


def named_files(call: ToolCall) -> dict[str, str]:
    """Existing regular files that the call names, by real path, with their digests.

    Of a command, every piece between blanks, quotes and operators is tried: a script is found
    however it is started, and a file bound needlessly only means asking again if it changes.
    """
    names: Iterable[str] = call.paths
    if call.kind is ToolKind.SHELL:
        names = dict.fromkeys(_SPLIT.split(call.command))
    found: dict[str, str] = {}
    here = os.path.join(call.cwd, "")
    for name in names:
        if not name or "\0" in name or len(name) > 4096:
            continue
        name = os.path.expanduser(name) if name[0] == "~" else name
        path = name if name[0] == "/" else here + name
        # Most words are no files: the cheapest question first, for it is asked of every word.
        if not _exists(path) or not os.path.isfile(path):
            continue
        path = os.path.realpath(path)
        if path not in found and (digest := _digest(path)):
            found[path] = digest
            if len(found) >= _MAX_FILES:
                break
    return found


def _exists(path: str) -> bool:
    try:
        return os.access(path, os.F_OK)
    except ValueError:  # no name that a file system could have
        return False


def _digest(path: str) -> str:
    """Of a regular file; "" for anything else. A file we may not read is bound by its times."""
    try:
        info = os.stat(path)
    except (OSError, ValueError):
        return ""
    if not stat.S_ISREG(info.st_mode):
        return ""
    if info.st_size <= _BY_CONTENT:
        try:
            # Not blocking: it may have become a named pipe meanwhile.
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                return "sha256:" + hashlib.sha256(file.read(_BY_CONTENT + 1)).hexdigest()
        except OSError:
            pass
    return f"stat:{info.st_dev}:{info.st_ino}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}"
