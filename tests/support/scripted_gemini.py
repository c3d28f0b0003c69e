"""Gemini's generateContent for `scripted_model`: reads a conversation, and says its next step."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.support.scripted_turns import Turn

_USAGE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}


def turns(body: Mapping[str, Any]) -> Iterator[Turn]:
    """Its calls have no id that an agent must send back: results are counted."""
    results = 0
    for content in body.get("contents", ()):
        parts = content.get("parts", ())
        if content.get("role") == "model":
            if any("functionCall" in part for part in parts):
                yield Turn("calls")
            continue
        for part in parts:
            if "functionResponse" in part:
                results += 1
                answered = part["functionResponse"]
                told = json.dumps(answered.get("response"), ensure_ascii=False)
                yield Turn("result", told, str(answered.get("id") or results))
            elif "text" in part:
                yield Turn("user", part["text"])


def response(answer: str | list[Any]) -> dict[str, Any]:
    """The answer, as one response or as the only piece of a streamed one."""
    parts = [
        {"text": part}
        if isinstance(part, str)
        else {"functionCall": {"name": part["tool"], "args": part["input"]}}
        for part in ([answer] if isinstance(answer, str) else answer)
    ]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": _USAGE, "modelVersion": "scripted"}
