"""A scripted model server: Anthropic Messages, OpenAI Responses and Chat Completions, Gemini.

It has no state: the prompt carries the script, and the conversation that the agent sends back
tells how far it has come. So any number of agents can talk to one server.

    script(call("Bash", command="echo hi"), parallel(call(…), call(…)), "All done.")

Each step is one answer of the model: a tool call, several at once (with words among them), or a
text; STALL is an answer that begins and never ends. After the last step it says DONE. A prompt
can also be the name of a play that the server knows: pictures show it in place of the script. In
a call's input, `"@@regex@@"` stands for the first group of that regular expression in the
previous tool results.

Every request is kept, so a test reads what the agent told its model.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from tests.support import scripted_chat, scripted_gemini
from tests.support.live import until
from tests.support.scripted_turns import Turn, fresh, text_of

STALL = "STALL"
_MARK = "SCRIPT:"
_PLACEHOLDER = re.compile(r'"@@(.*?)@@"')
_USAGE = {"input_tokens": 10, "output_tokens": 5}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    """One tool call of a script."""
    return {"tool": tool, "input": arguments}


def parallel(*calls: dict[str, Any]) -> list[dict[str, Any]]:
    """Several tool calls in one answer."""
    return list(calls)


def script(*steps: dict[str, Any] | list[dict[str, Any]] | str) -> str:
    """The prompt that makes the model do these steps, one an answer."""
    return _MARK + json.dumps(list(steps))


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One request of an agent to its model."""

    api: str  # "anthropic" | "openai" | "chat" | "gemini"
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def results(self) -> dict[str, str]:
        """What the tools answered so far in this conversation: call id → text, in order."""
        turns = _TURNS[self.api](self.body)
        return {turn.id: turn.text for turn in turns if turn.kind == "result"}

    @property
    def last_result(self) -> str:
        """The newest tool result's text."""
        return next(reversed(self.results.values()))


@dataclass(slots=True)
class ScriptedModel:
    """The running server. `url` is its base; OpenAI clients append `/v1` themselves or not."""

    url: str = ""
    requests: list[ModelRequest] = field(default_factory=list)
    plays: dict[str, list[Any]] = field(default_factory=dict)  # prompt → steps
    stalled: int = 0  # answers that were begun and never end
    cut: int = 0  # of those, how many the other side has given up

    @property
    def last(self) -> ModelRequest:
        """The newest request of a scripted conversation."""
        return self.requests[-1]

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        for prefix in ("", "/v1"):
            app.router.add_post(f"{prefix}/messages", self._anthropic)
            app.router.add_post(f"{prefix}/messages/count_tokens", _count_tokens)
            app.router.add_post(f"{prefix}/responses", self._openai)
            app.router.add_post(f"{prefix}/chat/completions", self._chat)
            app.router.add_get(f"{prefix}/models", _models)
        app.router.add_post("/{version}/models/{model}:{method}", self._gemini)
        # Whatever else an agent asks for does not exist, and it goes on without.
        app.router.add_route("*", "/{rest:.*}", _nothing)
        return app

    def _take(self, api: str, request: web.Request, body: dict[str, Any]) -> str | list[Any]:
        taken = ModelRequest(api, dict(request.headers), body)
        answer = _next(_TURNS[api](body), self.plays) if body.get("tools") else None
        if answer is None:  # titles, summaries and the like: not our conversation
            return "ok"
        self.requests.append(taken)
        return answer

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        answer = self._take("anthropic", request, body)
        blocks, stop = _anthropic_blocks(answer)
        message = {
            "id": fresh("msg"), "type": "message", "role": "assistant",
            "model": body.get("model"), "content": blocks, "stop_reason": stop,
            "stop_sequence": None, "usage": _USAGE,
        }  # fmt: skip
        if not body.get("stream"):
            return web.json_response(message)
        return await self._stream(request, _anthropic_events(message), stalls=answer == STALL)

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        answer = self._take("openai", request, body)
        items = _openai_items(answer)
        response = {
            "id": fresh("resp"), "object": "response", "created_at": 0,
            "model": body.get("model"), "status": "completed", "output": items,
            "usage": {**_USAGE, "total_tokens": 15, "input_tokens_details": {"cached_tokens": 0},
                      "output_tokens_details": {"reasoning_tokens": 0}},
        }  # fmt: skip
        if not body.get("stream"):
            return web.json_response(response)
        return await self._stream(request, _openai_events(response), stalls=answer == STALL)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        answer = self._take("chat", request, body)
        if not body.get("stream"):
            return web.json_response(scripted_chat.response(answer, body.get("model")))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in scripted_chat.chunks(answer, body.get("model")):
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
            if answer == STALL:
                await self._stall(request)
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _gemini(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        method = request.match_info["method"]
        if method == "countTokens":
            return web.json_response({"totalTokens": 10})
        answer = scripted_gemini.response(self._take("gemini", request, body))
        if method != "streamGenerateContent":
            return web.json_response(answer)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"data: {json.dumps(answer)}\n\n".encode())
        await response.write_eof()
        return response

    async def _stream(
        self, request: web.Request, events: Iterator[dict[str, Any]], *, stalls: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, event in enumerate(events):
            data = json.dumps({**event, "sequence_number": number})
            await response.write(f"event: {event['type']}\ndata: {data}\n\n".encode())
            if stalls:
                await self._stall(request)
        await response.write_eof()
        return response

    async def _stall(self, request: web.Request) -> None:
        """Say nothing more until the other side has gone."""
        self.stalled += 1
        await until(lambda: request.transport is None, "the agent to leave", patience=600)
        self.cut += 1


# ── The conversation, whatever the API ──────────────────────────────────────────────────


def _anthropic_turns(body: Mapping[str, Any]) -> Iterator[Turn]:
    for message in body.get("messages", ()):
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == "assistant":
            if any(part.get("type") == "tool_use" for part in parts):
                yield Turn("calls")
            continue
        for part in parts:
            if part.get("type") == "tool_result":
                yield Turn("result", text_of(part.get("content")), part["tool_use_id"])
            elif part.get("type") == "text":
                yield Turn("user", part["text"])


def _openai_turns(body: Mapping[str, Any]) -> Iterator[Turn]:
    items = body.get("input", ())
    if isinstance(items, str):
        items = [{"type": "message", "role": "user", "content": items}]
    previous = ""
    for item in items:
        kind = item.get("type", "message")
        if kind.endswith("_call"):
            if not previous.endswith("_call"):  # calls of one answer stand side by side
                yield Turn("calls")
        elif kind.endswith("_call_output"):
            yield Turn("result", text_of(item.get("output")), item["call_id"])
        elif kind == "message" and item.get("role") == "user":
            yield Turn("user", text_of(item.get("content")))
        previous = kind


_TURNS = {
    "anthropic": _anthropic_turns,
    "openai": _openai_turns,
    "chat": scripted_chat.turns,
    "gemini": scripted_gemini.turns,
}


def _script_in(text: str, plays: Mapping[str, list[Any]]) -> list[Any] | None:
    before, mark, rest = text.partition(_MARK)
    if not mark:
        return next((steps for prompt, steps in plays.items() if prompt in text), None)
    steps: list[Any]
    if before.endswith('"'):  # some agents join their command line into one, with quotes
        rest = rest.replace('\\"', '"')
    steps, _ = json.JSONDecoder().raw_decode(rest)
    return steps


def _next(turns: Iterator[Turn], plays: Mapping[str, list[Any]]) -> str | list[Any] | None:
    """The next step of the newest script; None when there is no script at all."""
    steps: list[Any] | None = None
    done = 0
    results: list[str] = []
    for turn in turns:
        if turn.kind == "user":
            found = _script_in(turn.text, plays)
            if found is not None:
                steps, done, results = found, 0, []
        elif turn.kind == "calls":
            done, results = done + 1, []
        else:
            results.append(turn.text)
    if steps is None:
        return None
    if done >= len(steps):
        return "DONE"
    step = json.loads(_PLACEHOLDER.sub(lambda m: _filled(m, results), json.dumps(steps[done])))
    return [step] if isinstance(step, dict) else step


def _filled(placeholder: re.Match[str], results: list[str]) -> str:
    pattern = json.loads(f'"{placeholder[1]}"')
    found = re.search(pattern, "\n".join(results))
    if found is None:
        return json.dumps(f"no match for {pattern}")
    value = found[1]
    return value if value.isdigit() else json.dumps(value)


# ── Anthropic Messages ──────────────────────────────────────────────────────────────────


def _anthropic_blocks(answer: str | list[Any]) -> tuple[list[dict[str, Any]], str]:
    if isinstance(answer, str):
        return [{"type": "text", "text": answer}], "end_turn"
    return [
        {"type": "text", "text": c}
        if isinstance(c, str)
        else {"type": "tool_use", "id": fresh("call"), "name": c["tool"], "input": c["input"]}
        for c in answer
    ], "tool_use"


def _anthropic_events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            empty = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": _USAGE}
    yield {"type": "message_stop"}


# ── OpenAI Responses ────────────────────────────────────────────────────────────────────


def _openai_items(answer: str | list[Any]) -> list[dict[str, Any]]:
    parts = [answer] if isinstance(answer, str) else answer
    return [_openai_message(p) if isinstance(p, str) else _openai_call(p) for p in parts]


def _openai_message(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "role": "assistant", "id": fresh("msg"), "status": "completed",
            "content": content}  # fmt: skip


def _openai_call(call: dict[str, Any]) -> dict[str, Any]:
    namespace, _, name = call["tool"].rpartition(".")
    return {"type": "function_call", "id": fresh("fc"), "call_id": fresh("call"),
            "status": "completed", "name": name, "arguments": json.dumps(call["input"]),
            **({"namespace": namespace} if namespace else {})}  # fmt: skip


def _openai_events(response: dict[str, Any]) -> Iterator[dict[str, Any]]:
    started = {**response, "status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": started}
    for index, item in enumerate(response["output"]):
        empty = {**item, "status": "in_progress"}
        empty["content" if item["type"] == "message" else "arguments"] = (
            [] if item["type"] == "message" else ""
        )
        yield {"type": "response.output_item.added", "output_index": index, "item": empty}
        if item["type"] == "message":
            at = {"item_id": item["id"], "output_index": index, "content_index": 0}
            text = item["content"][0]["text"]
            yield {"type": "response.output_text.delta", **at, "delta": text}
            yield {"type": "response.output_text.done", **at, "text": text}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": response}


# ── HTTP ────────────────────────────────────────────────────────────────────────────────


async def _count_tokens(request: web.Request) -> web.Response:
    return web.json_response({"input_tokens": 10})


async def _models(request: web.Request) -> web.Response:
    model = {"id": "scripted", "object": "model", "type": "model", "display_name": "scripted"}
    return web.json_response({"object": "list", "data": [model], "has_more": False})


async def _nothing(request: web.Request) -> web.Response:
    error = {"type": "not_found_error", "message": "not scripted"}
    return web.json_response({"error": error}, status=404)


@pytest.fixture
async def scripted_model() -> AsyncIterator[ScriptedModel]:
    """A scripted model on loopback for one test."""
    model = ScriptedModel()
    runner = web.AppRunner(model.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    model.url = f"http://{host}:{port}"
    yield model
    await runner.cleanup()
