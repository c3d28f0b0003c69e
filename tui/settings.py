"""How the person wants the screen: the table `[screen]` of their `config.toml`.

    [screen]
    theme = "dark"           # light, high-contrast, no-colour
    keymap = "default"       # vim, tmux
    leader = 'ctrl+\\'       # another key that begins every command

    [screen.keys]            # after the leader, instead of the keymap's own
    new-task = "c"
    history = "H"

What is chosen on the screen is written there, and nothing else in the file is touched.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from supervisor import places
from supervisor.errors import ConfigError, UsageError
from supervisor.tomlfile import place, read
from tui import themes
from tui.keymap import DEFAULT, Keymap, keymap

_TABLE: Final = "screen"
_TEXTS: Final = ("theme", "keymap", "leader")
_KEYS: Final = "keys"


@dataclass(frozen=True, slots=True)
class Settings:
    """What was found, checked.

    Attributes:
        path: the file that it was read from, and that choices are kept in; None keeps none.
        theme: "" when the person has not chosen one.
        written: `keymap`, `leader` and `keys` as they stand in the file.
        problem: why what stands in the file is not in force; "" when it is.
    """

    path: Path | None = None
    theme: str = ""
    keys: Keymap = DEFAULT
    written: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def load(path: Path | None = None) -> Settings:
    """The settings at `path`, or in the person's own file.

    A file with a mistake never keeps a person from their tasks: the defaults are in force, and
    `problem` says what to correct.
    """
    path = path or Path(places.config(), "config.toml")
    try:
        return _checked(path)
    except ConfigError as error:
        return Settings(path, problem=f"{error} Until then the screen is as it comes.")


def _checked(path: Path) -> Settings:
    text, tables = read(path)
    table = tables.get(_TABLE, {})

    def wrong(name: str, error: str, hint: str) -> ConfigError:
        inside, _, key = f"{_TABLE}.{name}".rpartition(".")
        return ConfigError(f"{path}:{place(text, inside, key)}: {inside}.{key}: {error}", hint=hint)

    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {_TABLE} must be a table.", hint=f"Write [{_TABLE}].")
    for name, value in table.items():
        if name not in (*_TEXTS, _KEYS):
            known = ", ".join((*_TEXTS, _KEYS))
            raise wrong(name, "there is no such setting.", f"There are: {known}.")
        if name in _TEXTS and not isinstance(value, str):
            raise wrong(name, "must be a text.", 'Write it as "…".')
    keys = table.get(_KEYS, {})
    if not isinstance(keys, dict) or not all(isinstance(key, str) for key in keys.values()):
        raise wrong(_KEYS, "must be a table of actions with a key each.", 'Write zoom = "z".')
    theme = table.get("theme", "")
    if theme and theme not in themes.LOOKS:
        raise wrong(
            "theme", f"there is no theme {theme!r}.", f"There are: {', '.join(themes.LOOKS)}."
        )
    try:
        in_force = keymap(table.get("keymap", "default"), table.get("leader", ""), keys)
    except UsageError as error:
        said = next((name for name in keys if repr(name) in error.message), "")
        where = f"{_KEYS}.{said}" if said else next(
            (name for name in ("leader", "keymap") if repr(table.get(name)) in error.message), _KEYS
        )  # fmt: skip
        raise wrong(where, error.message, error.hint) from None
    return Settings(path, theme, in_force, table)


def changed(settings: Settings, **chosen: str) -> Settings:
    """`settings` with a theme, keymap or leader chosen on the screen; "" takes the choice back.

    Raises:
        UsageError: the choice does not go with what the person has written.
    """
    written = {**settings.written, **chosen}
    kept = {name: value for name, value in written.items() if value}
    in_force = keymap(kept.get("keymap", "default"), kept.get("leader", ""), kept.get(_KEYS))
    return Settings(settings.path, kept.get("theme", ""), in_force, kept, settings.problem)


def keep(path: Path, **chosen: str) -> None:
    """Write choices into the file, and leave all else in it as it is.

    Raises:
        ConfigError: it cannot be read or written, or is not TOML.
    """
    import tomlkit  # rarely needed

    text, _ = read(path)
    document = tomlkit.parse(text)
    table = document.setdefault(_TABLE, tomlkit.table())
    for name, value in chosen.items():
        if value:
            table[name] = value
        else:
            table.pop(name, None)
    target = path.resolve()  # where somebody keeps their files linked
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        descriptor, new = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(tomlkit.dumps(document))
            os.fchmod(file.fileno(), mode)
        os.replace(new, target)
    except OSError as error:
        raise ConfigError(
            f"{path}: the choice was not kept: {error.strerror}.", hint="It holds until you leave."
        ) from error
