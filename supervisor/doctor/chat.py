"""OpenAI Chat Completions and Gemini's generateContent, as far as agents need them in a drill.

Sources: platform.openai.com/docs/api-reference/chat, ai.google.dev/api/generate-content; what the
agents of `profiles` send, seen.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.ports.drills import ToolUse

_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_GEMINI_USAGE = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}


def state(body: Mapping[str, Any]) -> tuple[str, int]:
    """What the user told, and how many answers with calls there were."""
    told, done = [], 0
    for message in body.get("messages", ()):
        if message.get("role") == "user":
            told.append(json.dumps(message.get("content")))
        done += bool(message.get("tool_calls"))
    return "\n".join(told), done


def completion(use: ToolUse | None, end: str, model: str) -> dict[str, Any]:
    """The answer as one message; `end` is the last word, where there is no call."""
    choice = {"index": 0, "message": _said(use, end), "finish_reason": _finish(use)}
    return {**_about("chat.completion", model), "choices": [choice], "usage": _USAGE}


def chunks(use: ToolUse | None, end: str, model: str) -> Iterator[dict[str, Any]]:
    """The same in pieces."""
    about = _about("chat.completion.chunk", model)
    yield {**about, "choices": [{"index": 0, "delta": _said(use, end), "finish_reason": None}]}
    yield {**about, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(use)}]}
    yield {**about, "choices": [], "usage": _USAGE}


def _about(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{secrets.token_hex(12)}", "object": kind, "created": 0, "model": model}


def _said(use: ToolUse | None, end: str) -> dict[str, Any]:
    if use is None:
        return {"role": "assistant", "content": end}
    function = {"name": use.tool, "arguments": json.dumps(dict(use.input))}
    call = {"index": 0, "id": f"call_{secrets.token_hex(12)}", "type": "function"}
    return {"role": "assistant", "content": None, "tool_calls": [{**call, "function": function}]}


def _finish(use: ToolUse | None) -> str:
    return "stop" if use is None else "tool_calls"


# ── generateContent ─────────────────────────────────────────────────────────────────────


def gemini_state(body: Mapping[str, Any]) -> tuple[str, int]:
    """As `state`."""
    told, done = [], 0
    for content in body.get("contents", ()):
        parts = content.get("parts", ())
        if content.get("role") == "model":
            done += any("functionCall" in part for part in parts)
        else:
            told += [part["text"] for part in parts if "text" in part]
    return "\n".join(told), done


def gemini_content(use: ToolUse | None, end: str) -> dict[str, Any]:
    """The answer, whole: as one response, or as the only piece of a streamed one."""
    part: dict[str, Any] = {"text": end}
    if use is not None:
        part = {"functionCall": {"name": use.tool, "args": dict(use.input)}}
    content = {"role": "model", "parts": [part]}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": _GEMINI_USAGE, "modelVersion": "drill"}
