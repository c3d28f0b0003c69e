"""`taskpass mcp …`: the MCP servers behind the gateway, and the gateway itself."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from supervisor import places
from supervisor.errors import NotFound, UsageError
from supervisor.gateway import servers
from supervisor.gateway.servers import Server


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass mcp",
        description="MCP servers behind a gateway: each call is judged, recorded, and gets its "
        "credential for that call; what a tool says of itself is pinned.",
    )
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    add = verbs.add_parser(
        "add",
        help="list a server: NAME -- COMMAND …, or NAME --url URL",
        usage="taskpass mcp add NAME [--env NAME=VALUE …] -- COMMAND …\n"
        "       taskpass mcp add NAME --url URL [--bearer-token-env-var VARIABLE]",
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--url", default="", help="address of a streamable HTTP server")
    add.add_argument(
        "--bearer-token-env-var",
        default="",
        metavar="VARIABLE",
        help="with --url: the variable of the credential that it takes",
    )
    add.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="not secret")
    verbs.add_parser("list", help="the servers that are listed")
    remove = verbs.add_parser("remove", help="take a server off the list")
    remove.add_argument("name", metavar="NAME")
    wrap = verbs.add_parser(
        "wrap", help="list the servers of an MCP client's configuration; print it wrapped"
    )
    wrap.add_argument("file", metavar="FILE", help="it is read, and stays as it is")
    signin = verbs.add_parser("signin", help="sign in at a server with an address")
    signin.add_argument("name", metavar="NAME")
    signin.add_argument("--client-id", default="", help="as registered there, or a document's URL")
    signin.add_argument("--client-secret", action="store_true", help="asked for, or from stdin")
    serve = verbs.add_parser("serve", help="what an MCP client starts: NAME on standard input")
    serve.add_argument("name", metavar="NAME")
    serve.add_argument("--workspace", default="", metavar="DIR", help="where it works (here)")
    serve.add_argument("--purpose", default="", help="what the task is for, in your words")
    serve.add_argument("--visitor", default="", help=argparse.SUPPRESS)  # from our own front
    gateway = verbs.add_parser("gateway", help="serve NAME to remote clients, ChatGPT for one")
    gateway.add_argument("name", metavar="NAME")
    gateway.add_argument("--listen", default="127.0.0.1:8787", metavar="ADDRESS:PORT")
    gateway.add_argument("--url", default="", help="the https address that clients use")
    gateway.add_argument("--workspace", default="", metavar="DIR", help="where their tasks work")
    return made


def main(command: str, words: list[str]) -> int:
    cut = words.index("--") if words[:1] == ["add"] and "--" in words else len(words)
    options = parser(command).parse_args(words[:cut])
    path = servers.place(places.config())
    match options.verb:
        case "add":
            return _add(options, words[cut + 1 :])
        case "remove":
            known = servers.read(path)
            if options.name not in known:
                raise NotFound(f"There is no MCP server {options.name!r}.", hint=_LIST)
            del known[options.name]
            servers.write(path, known)
            print(f"removed {options.name}")
            return 0
        case "list":
            return _list(servers.read(path).values())
        case "wrap":
            return _wrap(options.file, path)
        case "signin":
            from supervisor.cli.mcp_signin import run

            return run(
                options.name,
                options.client_id,
                with_secret=options.client_secret,
                file=path,
                config=path.parent / "config.toml",
            )
        case "serve":
            return _serve(options)
        case _:
            return _gateway(options)


_LIST = "See `taskpass mcp list`."


def _add(options: argparse.Namespace, argv: list[str]) -> int:
    path = servers.place(places.config())
    entry: dict[str, object] = {"env": dict(_variable(each) for each in options.env)}
    if argv:
        entry |= {"command": argv[0], "args": argv[1:]}
    if options.url:
        entry |= {"url": options.url}
    if options.bearer_token_env_var:
        entry |= {"bearer_token_env_var": options.bearer_token_env_var}
    known = servers.read(path)
    if options.name in known:
        raise UsageError(
            f"There is an MCP server {options.name!r} already.",
            hint=f"Remove it first: taskpass mcp remove {options.name}.",
        )
    servers.write(path, known | {options.name: servers.checked(options.name, entry)})
    print(f"added {options.name}; MCP clients start it as: taskpass mcp serve {options.name}")
    return 0


def _wrap(name: str, path: Path) -> int:
    from profiles.environment import sensitive
    from supervisor.gateway.wrapping import wrap

    try:
        with open(name, encoding="utf-8") as file:
            config = json.load(file)
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {name}: {error}.", hint="Give a JSON file.") from error
    wrapped = wrap(config, sensitive)
    known = servers.read(path)
    for server in wrapped.servers.values():
        if known.get(server.name, server) != server:
            raise UsageError(
                f"Another MCP server is listed as {server.name!r} already.",
                hint=f"Remove it first: taskpass mcp remove {server.name}.",
            )
    servers.write(path, {**known, **wrapped.servers})
    print(json.dumps(wrapped.config, indent=2))
    for each in wrapped.left_out:
        print(
            f"taskpass: not taken over: {each}. Keep it in the vault: taskpass credential add …",
            file=sys.stderr,
        )
    return 0


def _variable(text: str) -> tuple[str, str]:
    from profiles.environment import sensitive

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"{text!r} is not NAME=VALUE.")
    if sensitive(name, value):
        raise UsageError(
            f"{name} looks like a secret, and the list of servers is a file in clear.",
            hint=f"Keep it in the vault: taskpass credential add … --env {name}.",
        )
    return name, value


def _list(found: Iterable[Server]) -> int:
    listed = list(found)
    if not listed:
        print("No MCP servers. Add one: taskpass mcp add NAME -- COMMAND …")
    for server in listed:
        print(f"{server.name:<16} {server.url or ' '.join((server.command, *server.args))}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    servers.find(servers.place(places.config()), options.name)
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError(
            "This is inside a task already; a task does not start another one.",
            hint="Servers that the agent is configured with are wrapped by themselves.",
        )
    from supervisor.cli.headless import run_headless

    return run_headless(_start(options))


def _gateway(options: argparse.Namespace) -> int:
    servers.find(servers.place(places.config()), options.name)
    from supervisor.config import load_user_config
    from supervisor.gateway.front.run import run

    config = load_user_config(Path(places.config()) / "config.toml")
    workspace = os.path.abspath(options.workspace or os.getcwd())
    return run(
        options.name,
        options.listen,
        options.url,
        workspace,
        extra_roots=config.extra_roots,
        allow_private=config.allow_private,
    )


def _start(options: argparse.Namespace) -> dict[str, object]:
    """A task for the gateway before one server, as fields of `wire.StartTask`."""
    visitor = [options.visitor] if options.visitor else []
    whom = f", for {json.loads(options.visitor)['client']}" if visitor else ""
    return {
        "argv": [sys.executable, options.name, *visitor],
        "profile": "mcp",
        "cwd": os.path.abspath(options.workspace or os.getcwd()),
        "environ": dict(os.environ),
        "purpose": options.purpose or f"MCP server {options.name}{whom}",
        "interactive": False,
        "umask": places.umask(),
    }
