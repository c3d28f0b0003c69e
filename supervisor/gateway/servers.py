"""The MCP servers that the person lists, in `mcp.toml` of our configuration. No secrets in it.

[servers.files]
command = "npx"
args = ["-y", "@modelcontextprotocol/server-filesystem", "."]
env = { LOG_LEVEL = "info" }

[servers.tracker]
url = "https://mcp.example.com/mcp"
bearer_token_env_var = "TRACKER_TOKEN"    # a variable that a credential of the vault sets
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from supervisor.errors import ConfigError, NotFound, UsageError
from supervisor.paths import replace_file

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,47}")
_KEYS = frozenset(("command", "args", "env", "url", "bearer_token_env_var"))
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}")
PASSED = "TASKPASS_PASSED_"  # before the name of a variable that is passed on under another one
RESERVED = "taskpass"  # the gateway itself, in policies: a client that asks to be let in


@dataclass(frozen=True, slots=True)
class Server:
    """One server: a program that speaks over its standard input and output, or an address."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)  # added to what every task has
    url: str = ""
    bearer_token_env_var: str = ""  # for an address: the variable with its stand-in


def place(config: str) -> Path:
    """The file, below our directory of configuration."""
    return Path(config) / "mcp.toml"


def read(path: Path) -> dict[str, Server]:
    """All servers by name; none where there is no file.

    Raises:
        ConfigError: the file cannot be used; it says where.
    """
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot use {path}: {error}.", hint="Correct the file.") from error
    servers = data.get("servers", {})
    if not isinstance(servers, dict) or set(data) - {"servers"}:
        raise ConfigError(f"{path} has tables besides [servers.NAME].", hint="Remove them.")
    try:
        return {name: checked(name, entry) for name, entry in servers.items()}
    except UsageError as error:
        raise ConfigError(f"{path}: {error.message}", hint=error.hint) from error


def find(path: Path, name: str) -> Server:
    """One server. Raises ConfigError, NotFound."""
    found = read(path).get(name)
    if found is None:
        raise NotFound(
            f"There is no MCP server {name!r} in {path}.",
            hint="Add it: taskpass mcp add NAME -- COMMAND …, or --url URL.",
        )
    return found


def checked(name: str, entry: Any) -> Server:
    """A server from its table.

    Raises:
        UsageError: says what is wrong with it.
    """
    if not _NAME.fullmatch(name) or "__" in name or name == RESERVED:
        raise UsageError(
            f"{name!r} cannot be the name of a server.",
            hint="Use letters, digits, - and single _; not `taskpass`.",
        )
    if not isinstance(entry, dict) or set(entry) - _KEYS:
        raise UsageError(f"The server {name} has settings we do not know.", hint=_known())
    command, url = entry.get("command", ""), entry.get("url", "")
    args, env = entry.get("args", []), entry.get("env", {})
    token = entry.get("bearer_token_env_var", "")
    if not all(isinstance(each, str) for each in (command, url, token)):
        raise UsageError(f"command, url and bearer_token_env_var of {name} are texts.")
    if not isinstance(args, list) or not all(isinstance(each, str) for each in args):
        raise UsageError(f"args of {name} is a list of texts.")
    if not isinstance(env, dict) or not all(isinstance(each, str) for each in env.values()):
        raise UsageError(f"env of {name} is a table of texts.")
    if bool(command) == bool(url):
        raise UsageError(f"The server {name} has either a command or a url.")
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(f"The url of {name} is not an http or https address.")
    if url and (urlsplit(url).username or urlsplit(url).password):
        raise UsageError(
            f"The url of {name} carries a log-in.", hint="Keep it: taskpass credential add."
        )
    if token and not url:
        raise UsageError(
            f"The server {name} is a program: it finds stand-ins in its variables by itself.",
            hint="Bind a credential to a variable: taskpass credential add NAME --env VARIABLE.",
        )
    return Server(name, command, tuple(args), dict(env), url, token)


def expanded(server: Server, environ: Mapping[str, str]) -> Server:
    """With the variables that its entry names as `${NAME}` or `${NAME:-OTHERWISE}` put in.

    As Claude Code does it; a name without a value stays as it is written.
    """

    def put(text: str) -> str:
        return _VARIABLE.sub(lambda found: environ.get(found[1], found[3] or found[0]), text)

    return replace(
        server,
        command=put(server.command),
        args=tuple(map(put, server.args)),
        env={name: put(value) for name, value in server.env.items()},
        url=put(server.url),
    )


def take_passed(environ: MutableMapping[str, str]) -> None:
    """Give variables their own names again, where an agent gives its servers none by those.

    What it did not put in, since it has none itself, is dropped.
    """
    for name in [name for name in environ if name.startswith(PASSED)]:
        value = environ.pop(name)
        if not _VARIABLE.fullmatch(value):
            environ[name.removeprefix(PASSED)] = value


def write(path: Path, servers: Mapping[str, Server]) -> None:
    """Put these in place of what is there. Raises ConfigError; the old file is then as it was."""
    import tomli_w

    tables = {name: _table(server) for name, server in servers.items()}
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, tomli_w.dumps({"servers": tables}).encode())


def _table(server: Server) -> dict[str, Any]:
    table = {key: value for key, value in asdict(server).items() if value and key != "name"}
    if "args" in table:
        table["args"] = list(table["args"])
    return table


def _known() -> str:
    return f"Known: {', '.join(sorted(_KEYS))}."
