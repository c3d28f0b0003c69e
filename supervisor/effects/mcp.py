"""The effects of an MCP tool: the call, and the pages and files that it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.effects.files import Place, file_effects
from supervisor.effects.http import http_effect
from supervisor.model import Effect, Verb


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# First words of tools that only look. A name is a claim of the server, and policy says so.
_READS = _words(
    """get list search read describe explain view find show count check status fetch lookup analyze
    inspect query browse snapshot screenshot resolve validate diff compare preview summarize
    download retrieve wait help whoami ping sequentialthinking"""
)
# Words that make one more than that, wherever they stand. Nouns of reading tools ("get_run",
# "list_posts") are not among them.
_CHANGES = _words(
    """create update delete remove insert replace execute exec write send publish upload deploy
    approve apply assign eval evaluate shell install upsert rename revoke"""
)
# Servers that drive a browser, and what of it reaches past the pages.
_BROWSERS = _words("playwright puppeteer chrome-devtools chromedevtools browser browsermcp")
_PAST_PAGES = _words("upload install download pdf save file")
_FILES = _words(
    """path paths file files filepath file_path file_paths filename source destination directory dir
    folder uri"""
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Last words of tools that only look, whose names begin with what they look at.
_LOOKS_LAST = _words("read get list search history tree")
# First words that do something to the noun behind them.
_ACTS_FIRST = _words(
    """add set edit save mark move merge close open start stop run put post patch clear purge reset
    restore import export append invite join leave subscribe unsubscribe archive star pin mute
    reply react forward draft make build trigger cancel enable disable grant register do
    submit push sync clean drop truncate kill restart copy clone fork rebuild toggle change modify
    rewrite store record log track tag label share link unlink attach detach lock unlock
    wipe erase flush prune forget fill sort order rotate reorder schedule transfer confirm"""
)
_CLIENTS = _words("kubectl")
_SQL = re.compile(r"\s*(?:select|explain|show|describe|values|table)\b", re.IGNORECASE)
_SQL_CHANGES = re.compile(
    r"\b(?:insert|update|delete|drop|alter|create|truncate|grant|revoke|merge|copy|call|do|set|into|"
    r"vacuum|lock|execute|analyze|\w+\s*\(\s*'[^']*(?:insert|update|delete|drop))\b|;\s*\S|pg_\w+\(|"
    r"\b(?:dblink|lo_|nextval|setval|load_file|xp_)\w*",
    re.IGNORECASE,
)


def mcp_effects(
    tool: str, arguments: Mapping[str, Any], cwd: str, place: Place
) -> tuple[Effect, ...]:
    """`mcp__server__tool` as the resource `server.tool`, with both as attributes.

    `reads`: its name says that it only looks; one that runs a statement reads when the statement
    does. `browser`: it drives a browser. A page that it is to open is a GET as well, and a file
    that it names is read; unless it only looks, one that is surely of this machine is written.
    """
    server, _, name = tool.removeprefix("mcp__").partition("__")
    statement = next(
        (arguments[key] for key in ("sql", "statement") if isinstance(arguments.get(key), str)), ""
    )
    told = _told(arguments)
    looks = _selects(statement) if statement else reads(server, name)
    effects = [
        Effect(
            Verb.MCP,
            f"{server}.{name}",
            {
                "server": server,
                "tool": name,
                "reads": looks and told != _TOO_MUCH,
                "browser": _browses(server, name),
                "arguments": told,
            },
        )
    ]
    url = arguments.get("url")
    if isinstance(url, str) and url:
        effects.append(http_effect(url))
    for path in _paths(arguments, place.home):
        here = path.startswith("/")
        for verb in (Verb.READ,) if looks or not here else (Verb.READ, Verb.WRITE):
            effects += file_effects(verb, path, cwd, place)
    return tuple(effects)


def _paths(arguments: Mapping[str, Any], home: str) -> Iterator[str]:
    """Files that the arguments name, as far as the arguments' own names tell."""
    for name, value in arguments.items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str) or not each.strip("/. "):
                continue
            if each.startswith("file://"):
                yield each.removeprefix("file://").removeprefix("localhost")
            elif name.lower() in _FILES and "://" not in each and "\0" not in each:
                yield home + each[1:] if each == "~" or each.startswith("~/") else each


def reads(server: str, name: str) -> bool:
    """Whether a tool only looks, by its name.

    `list_issues`, `issue_read`, `slack_get_thread` of the server `slack`.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if len(words) > 1 and (words[0] == "api" or words[0] in _tokens(server) | _CLIENTS):
        del words[0]
    if len(words) > 1 and words[:2] == ["post", "search"]:  # named after the request it makes
        del words[0]
    if not words or _CHANGES.intersection(words):
        return False
    return words[0] in _READS or (words[-1] in _LOOKS_LAST and words[0] not in _ACTS_FIRST)


def _tokens(server: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(server))


def _browses(server: str, name: str) -> bool:
    words = {word.lower() for word in _WORD.findall(name)}
    return server.lower() in _BROWSERS and not words & _PAST_PAGES


def _selects(statement: str) -> bool:
    """Whether one statement surely only reads. Strict: a doubt is a no."""
    plain = re.sub(r"'(?:[^']|'')*'", "''", statement.rstrip().rstrip(";"))
    return (
        _SQL.match(plain) is not None and "--" not in plain and _SQL_CHANGES.search(plain) is None
    )


_MOST_TOLD = 4000  # characters of arguments that policies can look at
_TOO_MUCH = "\n…\n"
_DEEPEST = 8


def _told(arguments: Mapping[str, Any]) -> str:
    """The arguments as policies read them: "\\nNAME=VALUE\\n…\\n", inner ones as NAME.NAME.

    A line break in a value is a space there, so that no value can pass as another argument. What
    is too long, or too deep, is cut to "…".
    """
    lines = ["", *(f"{name}={value}" for name, value in _leaves("", arguments, 0)), ""]
    text = "\n".join(lines)
    return text if len(text) <= _MOST_TOLD else _TOO_MUCH


def _leaves(name: str, value: Any, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth < _DEEPEST:
        for key, inner in value.items():
            yield from _leaves(_below(name, _key(str(key))), inner, depth + 1)
    elif isinstance(value, list | tuple) and depth < _DEEPEST:
        for index, inner in enumerate(value):
            yield from _leaves(_below(name, str(index)), inner, depth + 1)
    else:
        yield name, _line(value if isinstance(value, str) else json.dumps(value))


def _below(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _key(text: str) -> str:
    """No key passes as two, or as a key with its value."""
    return _line(text).replace("\\", "\\\\").replace("=", "\\=").replace(".", "\\.")


def _line(text: str) -> str:
    return " ".join(text.splitlines())
