"""Options of an agent's command line, taken out of it as the agent itself reads them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

Taken = tuple[list[str], list[str]]  # the command line without the option, and its values


def commander(arguments: Sequence[str], option: str, *, several: bool = False) -> Taken:
    """As commander.js reads it (Claude Code, Copilot CLI).

    Its value is the next word whatever that is, "" for none; `several`: also all further words up
    to the next option. One that is written with `=` is the only one.
    """
    rest: list[str] = []
    values: list[str] = []
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        name, equals, value = arguments[at].partition("=")
        at += 1
        if name != option:
            rest.append(arguments[at - 1])
        elif equals:
            values.append(value)
        else:
            words = [*arguments[at : at + 1]] or [""]
            words += _up_to_an_option(arguments[at + 1 :]) if several else []
            values += words
            at += len(words)
    return [*rest, *arguments[at:]], values


def yargs(arguments: Sequence[str], option: str, *, several: bool = False) -> Taken:
    """As yargs reads it (Gemini CLI, Qwen Code): no value begins with a dash.

    `several`: all words up to the next option are its values, also after one that is written with
    `=`.
    """
    rest: list[str] = []
    values: list[str] = []
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        name, equals, value = arguments[at].partition("=")
        at += 1
        if name != option:
            rest.append(arguments[at - 1])
            continue
        values += [value] if equals else []
        words = _up_to_an_option(arguments[at:])
        words = words if several else words[: 0 if equals else 1]
        values += words
        at += len(words)
    return [*rest, *arguments[at:]], values


def _up_to_an_option(words: Sequence[str]) -> list[str]:
    return list(words[: next((at for at, word in enumerate(words) if word[:1] == "-"), len(words))])
