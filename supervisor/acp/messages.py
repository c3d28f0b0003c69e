"""What passes between an ACP client and its agent (agentclientprotocol.com, version 1). Pure.

A message is one line of JSON-RPC 2.0. Anything else, a batch too, is no message of ACP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

ASK = "session/request_permission"
NEW, LOAD, PROMPT, SET_MODE, UPDATE = (
    "session/new", "session/load", "session/prompt", "session/set_mode", "session/update",
)  # fmt: skip
# What the client would do for the agent, outside the task.
_OUTSIDE = ("fs/", "terminal/")
_ENDED = {"completed": "end", "failed": "failed"}
# In this mode an agent asks before it acts; some begin in one in which they do not.
_ASKING_MODE = "default"


def read(line: bytes) -> dict[str, Any] | None:
    """The message in this line, None for no message."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return None
    return message if isinstance(message.get("id"), str | int | None) else None


def written(message: Mapping[str, Any]) -> bytes:
    """As a line."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def params(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters, {} where there are none."""
    given = message.get("params")
    return given if isinstance(given, dict) else {}


def without_outside(message: Mapping[str, Any]) -> dict[str, Any]:
    """The client's `initialize`, in which it does nothing for the agent outside the task."""
    told = dict(params(message))
    offered = told.get("clientCapabilities")
    offered = dict(offered) if isinstance(offered, dict) else {}
    kept = {name: value for name, value in offered.items() if name not in ("fs", "terminal")}
    off = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
    return {**message, "params": {**told, "clientCapabilities": {**kept, **off}}}


def is_outside(method: str) -> bool:
    """Whether the agent asks its client to read, write or run something for it."""
    return method.startswith(_OUTSIDE)


def result(message: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request."""
    return {"jsonrpc": "2.0", "id": message["id"], "result": told}


def error(message: Mapping[str, Any], words: str) -> dict[str, Any]:
    """The refusal of a request."""
    return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": words}}


def chosen(message: Mapping[str, Any], *, allow: bool, reason: str) -> dict[str, Any]:
    """The answer to a request for permission: this once, or not.

    An agent that offers no such choice is told that the question was taken back: nothing runs.
    """
    wanted = "allow_once" if allow else "reject_once"
    options = params(message).get("options")
    options = options if isinstance(options, list) else []
    found = next(
        (o["optionId"] for o in options if isinstance(o, dict) and o.get("kind") == wanted
         and isinstance(o.get("optionId"), str)),
        None,
    )  # fmt: skip
    outcome = {"outcome": "cancelled"}
    if found is not None:
        outcome = {"outcome": "selected", "optionId": found}
    meta = {"_meta": {"taskpass/reason": reason}} if reason else {}
    return result(message, {"outcome": outcome, **meta})


def said(session: str, words: str) -> dict[str, Any]:
    """A word of ours in the conversation, since a refusal in ACP has no reason."""
    content = {"type": "text", "text": words}
    update = {"sessionUpdate": "agent_message_chunk", "content": content}
    return {"jsonrpc": "2.0", "method": UPDATE, "params": {"sessionId": session, "update": update}}


def ended(message: Mapping[str, Any]) -> tuple[str, str]:
    """How a tool call has ended, "end" or "failed", and its id; ("", "") for another update."""
    update = params(message).get("update")
    if not isinstance(update, dict) or update.get("sessionUpdate") != "tool_call_update":
        return "", ""
    status, call = update.get("status"), update.get("toolCallId")
    how = _ENDED.get(status, "") if isinstance(status, str) else ""
    return (how, call) if how and isinstance(call, str) else ("", "")


def in_asking_mode(message: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """The answer to a new session as the client is to see it, and the mode to be set, "" for none.

    An agent that begins in a mode of its own is put into the one in which it asks.
    """
    told = message.get("result")
    modes = told.get("modes") if isinstance(told, dict) else None
    if not isinstance(modes, dict) or modes.get("currentModeId") == _ASKING_MODE:
        return dict(message), ""
    there = modes.get("availableModes")
    known = [m.get("id") for m in there if isinstance(m, dict)] if isinstance(there, list) else []
    if not isinstance(told, dict) or _ASKING_MODE not in known:
        return dict(message), ""
    changed = {**told, "modes": {**modes, "currentModeId": _ASKING_MODE}}
    return {**message, "result": changed}, _ASKING_MODE
