"""A TOML file that a person writes, and where in it something stands."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from supervisor.errors import ConfigError

_SYNTAX = re.compile(r"^(?P<what>.*?)\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|.*)\)$")


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """The file at `path` as text, and parsed; empty when there is none.

    Raises:
        ConfigError: it cannot be read, or is not TOML.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return "", {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"{path}: cannot be read: {reason}.", hint="Fix or move it.") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, error) from error


def place(text: str, table: str, key: str) -> str:
    """`line:column` where a key is set; TOML tells no places once it is parsed."""
    inside = ""
    for number, line in enumerate(text.splitlines(), 1):
        words = line.strip()
        if words.startswith("["):
            inside = words.strip("[] ").partition("#")[0].strip(" ]")
            if inside == table and not key:
                return f"{number}:1"
        name = words.partition("=")[0].strip().strip("\"'")
        if (inside == table and name == key) or name == f"{table}.{key}":
            return f"{number}:{len(line) - len(line.lstrip()) + 1}"
    return "1:1"


def _syntax_error(path: Path, text: str, error: tomllib.TOMLDecodeError) -> ConfigError:
    match = _SYNTAX.match(str(error))
    what = match["what"] if match else str(error)
    if match and match["line"]:
        line, column = match["line"], match["column"]
    else:  # "at end of document"
        lines = text.splitlines() or [""]
        line, column = str(len(lines)), str(len(lines[-1]) + 1)
    return ConfigError(f"{path}:{line}:{column}: {what}.", hint="It must be TOML.")
