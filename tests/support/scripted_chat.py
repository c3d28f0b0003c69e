"""OpenAI Chat Completions for `scripted_model`: reads a conversation, and says its next step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.scripted_turns import Turn, fresh, text_of

_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def turns(body: Mapping[str, Any]) -> Iterator[Turn]:
    for message in body.get("messages", ()):
        role = message["role"]
        if role == "assistant":
            if message.get("tool_calls"):
                yield Turn("calls")
        elif role == "tool":
            yield Turn("result", text_of(message.get("content")), message["tool_call_id"])
        elif role == "user":
            yield Turn("user", text_of(message.get("content")))


def response(answer: str | list[Any], model: Any) -> dict[str, Any]:
    """The answer as one message."""
    message = {"role": "assistant", **_said(answer)}
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
    return {"id": fresh("chatcmpl"), "object": "chat.completion", "created": 0, "model": model,
            "choices": [choice], "usage": _USAGE}  # fmt: skip


def chunks(answer: str | list[Any], model: Any) -> Iterator[dict[str, Any]]:
    """The same in pieces."""
    base = {"id": fresh("chatcmpl"), "object": "chat.completion.chunk", "created": 0,
            "model": model}  # fmt: skip
    first = {"index": 0, "delta": {"role": "assistant", **_said(answer)}, "finish_reason": None}
    last = {"index": 0, "delta": {}, "finish_reason": _finish(answer)}
    yield {**base, "choices": [first]}
    yield {**base, "choices": [last]}
    yield {**base, "choices": [], "usage": _USAGE}


def _said(answer: str | list[Any]) -> dict[str, Any]:
    parts = [answer] if isinstance(answer, str) else answer
    texts = [part for part in parts if isinstance(part, str)]
    calls = [part for part in parts if not isinstance(part, str)]
    said: dict[str, Any] = {"content": "\n".join(texts) or None}
    if calls:
        said["tool_calls"] = [
            {"index": index, "id": fresh("call"), "type": "function",
             "function": {"name": call["tool"], "arguments": json.dumps(call["input"])}}
            for index, call in enumerate(calls)
        ]  # fmt: skip
    return said


def _finish(answer: str | list[Any]) -> str:
    return "stop" if isinstance(answer, str) else "tool_calls"
