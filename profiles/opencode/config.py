"""The private places that a supervised opencode has its settings and state in.

It looks for them below the four XDG directories, writes into each as it starts, and installs
packages where it finds settings, and completes settings files. So each is a private directory of
links to what the person has there; its own part holds copies of settings and links to whatever
else it may read, and nothing else that lasts.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from profiles.files import link, private_folder, write_private
from supervisor.errors import ConfigError

# Variable → where it points to below the home by default.
_PLACES: Mapping[str, str] = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "XDG_CACHE_HOME": ".cache",
}
_OWN = "opencode"
_FILES = ("config.json", "opencode.json", "opencode.jsonc")
# It installs this package beside settings, which takes a minute where there is no registry to
# reach. So its record says that it is there; whoever needs it has it among their own packages.
_LOCK = {"packages": {"": {"dependencies": {"@opencode-ai/plugin": "*"}}}}
_NOT_LINKED = frozenset({"package.json", "package-lock.json", "bun.lock", ".gitignore"})

_VARIABLE = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_BASE_URL = re.compile(r'"baseURL"\s*:\s*"(https?://[^"{}\s]+)"')


@dataclass(frozen=True, slots=True)
class Places:
    """The four directories: the person's, and ours in their place. Variable → path."""

    real: Mapping[str, str]
    private: Mapping[str, str]

    def original(self, name: str) -> str:
        """Where a path below the home, as the manifest has it, really lies."""
        for variable, default in _PLACES.items():
            if name.startswith(f"{default}/"):
                return os.path.join(self.real[variable], name.removeprefix(f"{default}/"))
        raise ValueError(f"{name} is in none of its places")

    def copy(self, name: str) -> Path:
        """Where opencode will look for it."""
        for variable, default in _PLACES.items():
            if name.startswith(f"{default}/"):
                return Path(self.private[variable], name.removeprefix(f"{default}/"))
        raise ValueError(f"{name} is in none of its places")


def places(home: str, environ: Mapping[str, str], base: Path) -> Places:
    """`base`: the private directory that ours are made in."""
    real = {
        variable: environ.get(variable) or os.path.join(home, default)
        for variable, default in _PLACES.items()
    }
    return Places(real, {variable: str(base / variable.lower()) for variable in _PLACES})


def lay_out(found: Places, names: Iterable[str]) -> None:
    """Make our directories, with links to all that others keep there and to `names`.

    Raises:
        LaunchFailed: one cannot be made.
    """
    for variable, path in found.private.items():
        private_folder(Path(path, _OWN))
        for entry in _entries(found.real[variable]):
            if entry != _OWN:
                link(Path(path, entry), os.path.join(found.real[variable], entry))
    for name in names:
        original, copy = found.original(name), found.copy(name)
        if os.path.isdir(original) and copy.is_dir():
            for entry in _entries(original):
                if entry not in _NOT_LINKED:
                    _take(os.path.join(original, entry), copy / entry)
        elif os.path.lexists(original):
            link(copy, original)
    settings = Path(found.private["XDG_CONFIG_HOME"], _OWN)
    if not (settings / "node_modules").exists():
        private_folder(settings / "node_modules")
    write_private(settings / "package-lock.json", json.dumps(_LOCK))
    write_private(settings / ".gitignore", "*\n")


def missing(cwd: str) -> tuple[str, ...]:
    """What it would write into the project's own settings, and not start where it cannot: it
    takes whatever stands there for its file."""
    folder = Path(cwd, ".opencode")
    file = folder / ".gitignore"
    return (str(file),) if folder.is_dir() and not os.path.lexists(file) else ()


def person_texts(found: Places, environ: Mapping[str, str]) -> list[str]:
    """The person's own settings, as texts: never a project's, which may name any host."""
    folder = Path(found.real["XDG_CONFIG_HOME"], _OWN)
    files = [folder / name for name in _FILES]
    if environ.get("OPENCODE_CONFIG"):
        files.append(Path(environ["OPENCODE_CONFIG"]))
    texts = [environ.get("OPENCODE_CONFIG_CONTENT", "")]
    for file in files:
        try:
            texts.append(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            continue  # opencode itself says what is wrong with it
    return texts


def variables_named(texts: Iterable[str]) -> tuple[str, ...]:
    """Variables whose values the settings take in: they hold keys of models."""
    return tuple(sorted({name for text in texts for name in _VARIABLE.findall(text)}))


def base_urls(texts: Iterable[str]) -> tuple[str, ...]:
    """Where the settings say that models are."""
    return tuple(dict.fromkeys(url for text in texts for url in _BASE_URL.findall(text)))


def content(own: str, plugin: str, servers: Mapping[str, Any]) -> str:
    """`OPENCODE_CONFIG_CONTENT`: the person's, with our plugin after all others.

    Args:
        servers: what replaces the MCP servers of all settings.

    Raises:
        ConfigError: the person's is not the JSON text of an object.
    """
    settings: Any = {}
    if own:
        try:
            settings = json.loads(own)
        except ValueError as error:
            raise ConfigError(
                f"OPENCODE_CONFIG_CONTENT is not JSON ({error}).", hint="Correct it, or unset it."
            ) from error
    plugins = settings.get("plugin", []) if isinstance(settings, dict) else None
    if not isinstance(plugins, list):
        raise ConfigError(
            "OPENCODE_CONFIG_CONTENT does not hold settings.", hint="Correct it, or unset it."
        )
    ours = {"plugin": [*plugins, Path(plugin).as_uri()], **({"mcp": servers} if servers else {})}
    return json.dumps({**settings, **ours})


def _take(original: str, copy: Path) -> None:
    """A copy of a file, since it would be written through a link; a link to a directory."""
    if os.path.isdir(original):
        link(copy, original)
        return
    try:
        text = Path(original).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return  # no settings: those are texts that it can read
    write_private(copy, text)


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
