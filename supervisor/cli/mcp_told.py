"""What a person is told of the MCP servers of an agent: what they lack, and how to give it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def sentences(servers: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """One for each server. `servers`: of `wire.Started`, as plain data."""
    for server in servers:
        name = server["name"]
        if why := server.get("left_out"):
            yield f"the MCP server {name} is left out: {why}"
            continue
        lacking = list(server.get("without", ()))
        variables = [each for each in lacking if not each.startswith("header ")]
        variable = variables[0] if variables else "VARIABLE"
        yield (
            f"the MCP server {name} starts without {', '.join(lacking)}. Keep it in the vault, "
            f"for its calls alone: taskpass credential add {name} --host HOST --env {variable}"
            + ("" if variables else f", and taskpass mcp add {name} --url URL "
               "--bearer-token-env-var VARIABLE")
        )  # fmt: skip
