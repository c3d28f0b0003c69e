"""A model that the doctor plays on loopback: it answers with the drill's calls, one after another.

No model is asked, and nothing is paid. Speaks Anthropic Messages, OpenAI Responses and, by
`doctor.chat`, Chat Completions and Gemini's generateContent, streaming or not, as far as agents
need it for a turn. It has no state but who waits for whom: the prompt
says which play it is, and the conversation how far it has come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from supervisor.doctor import chat
from supervisor.ports.drills import ToolUse

_LARGEST = 32 * 1024 * 1024  # bytes of a request: agents send their whole conversation
# Seconds for a subagent to ask us for the first time, and to come to its end.
_TO_BEGIN, _TO_END = 4.0, 10.0
_USAGE = {"input_tokens": 1, "output_tokens": 1}
_END = "The drill is over."


@dataclass(frozen=True, slots=True)
class Play:
    """What the model answers with when a prompt holds `cue`.

    Attributes:
        after: another play's cue that must have come to its end before the last word.
    """

    cue: str
    uses: Sequence[ToolUse]
    after: str = ""


@dataclass(slots=True)
class PlayedModel:
    """The served model. `url` is its base."""

    plays: Sequence[Play] = ()
    url: str = ""
    asked: int = 0  # answers given in plays
    _stages: dict[str, tuple[asyncio.Event, asyncio.Event]] = field(default_factory=dict)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST)
        for prefix in ("", "/v1"):
            app.router.add_post(f"{prefix}/messages", self._anthropic)
            app.router.add_post(f"{prefix}/messages/count_tokens", _count_tokens)
            app.router.add_post(f"{prefix}/responses", self._openai)
            app.router.add_post(f"{prefix}/chat/completions", self._chat)
        app.router.add_post("/{version}/models/{model}:{method}", self._gemini)
        return app

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        use = await self._next(*_anthropic_state(body), bool(body.get("tools")))
        message = _anthropic_message(use, str(body.get("model")))
        if not body.get("stream"):
            return web.json_response(message)
        return await _stream(request, _named(_anthropic_events(message)))

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        use = await self._next(*_openai_state(body), bool(body.get("tools")))
        response = _openai_response(use, str(body.get("model")))
        if not body.get("stream"):
            return web.json_response(response)
        return await _stream(request, _named(_openai_events(response)))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        use = await self._next(*chat.state(body), bool(body.get("tools")))
        model = str(body.get("model"))
        if not body.get("stream"):
            return web.json_response(chat.completion(use, _END, model))
        chunks = [json.dumps(chunk) for chunk in chat.chunks(use, _END, model)]
        return await _stream(request, (f"data: {data}" for data in (*chunks, "[DONE]")))

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if method == "countTokens":
            return web.json_response({"totalTokens": 1})
        body = await request.json()
        use = await self._next(*chat.gemini_state(body), bool(body.get("tools")))
        content = chat.gemini_content(use, _END)
        if method != "streamGenerateContent":
            return web.json_response(content)
        return await _stream(request, [f"data: {json.dumps(content)}"])

    async def _next(self, told: str, done: int, with_tools: bool) -> ToolUse | None:
        """The next call of the play, None for its last word."""
        # The last cue counts: a subagent's prompt may stand after its parent's.
        play = max(self.plays, key=lambda each: told.rfind(each.cue))
        if play.cue not in told or not with_tools:  # a title, a summary
            return None
        self.asked += 1
        begun, over = self._stage(play.cue)
        begun.set()
        if done < len(play.uses):
            return play.uses[done]
        if play.after:
            with contextlib.suppress(TimeoutError):  # then its call was not seen
                for stage, patience in zip(
                    self._stage(play.after), (_TO_BEGIN, _TO_END), strict=True
                ):
                    await asyncio.wait_for(stage.wait(), patience)
        over.set()
        return None

    def _stage(self, cue: str) -> tuple[asyncio.Event, asyncio.Event]:
        """That a play has begun, and that it is over."""
        return self._stages.setdefault(cue, (asyncio.Event(), asyncio.Event()))


@asynccontextmanager
async def played() -> AsyncIterator[PlayedModel]:
    """The model, served on loopback; it is told its plays before it is asked."""
    model = PlayedModel()
    runner = web.AppRunner(model.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        model.url = f"http://{host}:{port}"
        yield model
    finally:
        await runner.cleanup()


async def _stream(request: web.Request, events: Iterable[str]) -> web.StreamResponse:
    """Answer with server-sent events, each given as its lines."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(f"{event}\n\n".encode())
    await response.write_eof()
    return response


def _named(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Events with their type as a name, and numbered."""
    for number, event in enumerate(events):
        data = json.dumps({**event, "sequence_number": number})
        yield f"event: {event['type']}\ndata: {data}"


async def _count_tokens(request: web.Request) -> web.Response:
    return web.json_response({"input_tokens": 1})


def _fresh(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"


# ── Anthropic Messages ──────────────────────────────────────────────────────────────────


def _anthropic_state(body: Mapping[str, Any]) -> tuple[str, int]:
    """What the user told, and how many answers with calls there were."""
    told, done = [], 0
    for message in body.get("messages", ()):
        if message["role"] == "user":
            told.append(json.dumps(message["content"]))
        elif isinstance(message["content"], list):
            done += any(part.get("type") == "tool_use" for part in message["content"])
    return "\n".join(told), done


def _anthropic_message(use: ToolUse | None, model: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": _END}
    if use is not None:
        given = dict(use.input)
        block = {"type": "tool_use", "id": _fresh("toolu"), "name": use.tool, "input": given}
    return {
        "id": _fresh("msg"), "type": "message", "role": "assistant", "model": model,
        "content": [block], "stop_reason": "tool_use" if use else "end_turn",
        "stop_sequence": None, "usage": _USAGE,
    }  # fmt: skip


def _anthropic_events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    (block,) = message["content"]
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    empty: dict[str, Any] = {**block, "input": {}}
    delta = {"type": "input_json_delta", "partial_json": json.dumps(block.get("input"))}
    if block["type"] == "text":
        empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": _USAGE}
    yield {"type": "message_stop"}


# ── OpenAI Responses ────────────────────────────────────────────────────────────────────


def _openai_state(body: Mapping[str, Any]) -> tuple[str, int]:
    told, done = [], 0
    items = body.get("input", ())
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        if item.get("type") == "function_call":
            done += 1
        elif item.get("role") == "user":
            told.append(json.dumps(item.get("content")))
    return "\n".join(told), done


def _openai_response(use: ToolUse | None, model: str) -> dict[str, Any]:
    item: dict[str, Any] = {
        "type": "message", "role": "assistant", "id": _fresh("msg"), "status": "completed",
        "content": [{"type": "output_text", "text": _END, "annotations": []}],
    }  # fmt: skip
    if use is not None:
        namespace, _, name = use.tool.rpartition(".")
        item = {
            "type": "function_call", "id": _fresh("fc"), "call_id": _fresh("call"), "name": name,
            "status": "completed", "arguments": json.dumps(dict(use.input)),
            **({"namespace": namespace} if namespace else {}),
        }  # fmt: skip
    usage = {
        **_USAGE, "total_tokens": 2, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    return {"id": _fresh("resp"), "object": "response", "created_at": 0, "model": model,
            "status": "completed", "output": [item], "usage": usage}  # fmt: skip


def _openai_events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    (item,) = response["output"]
    begun = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    empty = {**item, "status": "in_progress"}
    empty["content" if item["type"] == "message" else "arguments"] = (
        [] if item["type"] == "message" else ""
    )
    yield {"type": "response.output_item.added", "output_index": 0, "item": empty}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": response}
