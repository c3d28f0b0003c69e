"""What scripted conversations have in common, whatever the API (`scripted_model`)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Turn:
    """One part of a conversation: "user" text, a model's "calls", or a tool's "result"."""

    kind: str
    text: str = ""
    id: str = ""


def text_of(content: Any) -> str:
    """The text in a content value of any API: a string, a part, or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(part) for part in content)
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or content.get("output") or "")
    return ""


def fresh(prefix: str) -> str:
    """An id that no answer had before: agents join messages of one id into one."""
    return f"{prefix}_{secrets.token_hex(12)}"
