"""The HTTP binding: paths, status codes, and bodies as the specifications say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from supervisor.authzen.evaluation import Malformed, Question, question
from supervisor.authzen.service import Access, Problem, Service, view

_EVALUATION = "/access/v1/evaluation"
_EVALUATIONS = "/access/v1/evaluations"
_REQUESTS = "/access/v1/requests"
_METADATA = "/.well-known/authzen-configuration"
_CAPABILITY = "urn:openid:authzen:capability:access-request"
_ERROR = "urn:openid:authzen:access-request:error:"
_MOST = 1000  # evaluations in one request
_KEYS = 2048  # idempotency keys that are remembered
_ENTITIES = ("subject", "action", "resource", "context")

# Which decision ends the batch.
_SEMANTICS: Mapping[str, bool | None] = {
    "execute_all": None,
    "deny_on_first_deny": False,
    "permit_on_first_permit": True,
}

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(slots=True)
class Routes:
    """Adds AuthZEN to an application."""

    service: Service
    _keys: OrderedDict[str, tuple[bytes, str]] = field(default_factory=OrderedDict)

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", _METADATA, self._metadata)
        add("POST", _EVALUATION, _plain(self._evaluation))
        add("POST", _EVALUATIONS, _plain(self._evaluations))
        add("POST", _REQUESTS, _plain(self._submit))
        add("GET", _REQUESTS + "/{id}", _plain(self._status))
        for method in ("POST", "DELETE"):
            add(method, _REQUESTS + "/{id}/cancel", _plain(self._cancel))
        app.on_cleanup.append(self._close)

    async def _close(self, app: web.Application) -> None:
        await self.service.close()

    async def _metadata(self, request: web.Request) -> web.Response:
        base = _base(request)
        return _json(
            {
                "policy_decision_point": base,
                "access_evaluation_endpoint": base + _EVALUATION,
                "access_evaluations_endpoint": base + _EVALUATIONS,
                "access_request_endpoint": base + _REQUESTS,
                "capabilities": [_CAPABILITY],
            }
        )

    async def _evaluation(self, request: web.Request) -> web.Response:
        return _json(await self.service.evaluate(question(await _body(request))))

    async def _evaluations(self, request: web.Request) -> web.Response:
        body = await _body(request)
        entries = body.get("evaluations", [])
        if not isinstance(entries, list) or len(entries) > _MOST:
            raise Malformed(f"evaluations is not a list of at most {_MOST}")
        if not entries:
            return _json(await self.service.evaluate(question(body)))
        options = body.get("options", {})
        if not isinstance(options, dict):
            raise Malformed("options is not an object")
        semantic = options.get("evaluations_semantic", "execute_all")
        if semantic not in _SEMANTICS:
            raise Malformed(f"evaluations_semantic is one of {', '.join(_SEMANTICS)}")
        defaults = {name: body[name] for name in _ENTITIES if name in body}
        decisions = []
        for entry in entries:
            decision = await self._one(defaults, entry)
            decisions.append(decision)
            if decision["decision"] is _SEMANTICS[semantic]:
                break
        return _json({"evaluations": decisions})

    async def _one(self, defaults: Mapping[str, Any], entry: Any) -> dict[str, Any]:
        """One of several: what is wrong with it is its own decision, not the request's."""
        try:
            if not isinstance(entry, dict):
                raise Malformed("the evaluation is not an object")
            return await self.service.evaluate(question({**defaults, **entry}))
        except Malformed as error:
            told = {"status": 400, "message": str(error)}
            return {"decision": False, "context": {"error": told}}

    async def _submit(self, request: web.Request) -> web.Response:
        body = await _body(request)
        if "items" in body:
            raise Problem("not_requestable", 400, "One resource and action at a time.")
        denial = body.get("denial")
        if not isinstance(denial, dict):
            raise Problem("invalid_denial_binding", 400, "denial is missing.")
        asked: Question = question(body)
        key = request.headers.get("idempotency-key", "")
        same = msgspec.json.encode(body, order="sorted")
        if key in self._keys:
            before, id = self._keys[key]
            if before != same:
                raise Problem("duplicate_request", 409, "The key was used for another request.")
            return _task(request, self.service.request(id), status=202)
        access = self.service.submit(asked, denial)
        if key:
            self._keys[key] = (same, access.id)
            if len(self._keys) > _KEYS:
                self._keys.popitem(last=False)
        return _task(request, access, status=202)

    async def _status(self, request: web.Request) -> web.Response:
        return _task(request, self.service.request(request.match_info["id"]))

    async def _cancel(self, request: web.Request) -> web.Response:
        return _task(request, await self.service.cancel(request.match_info["id"]))


def _plain(handler: Handler) -> Handler:
    """Errors as the specifications say them, and the request's identifier in the answer."""

    async def answer(request: web.Request) -> web.Response:
        try:
            response = await handler(request)
        except (Malformed, msgspec.DecodeError) as error:
            response = web.Response(status=400, text=f"Bad Request: {error}.")
        except Problem as problem:
            body = {
                "type": _ERROR + problem.kind,
                "title": problem.kind.replace("_", " "),
                "status": problem.status,
                "detail": problem.detail,
            }
            response = _json(body, status=problem.status, content_type="application/problem+json")
        identifier = request.headers.get("x-request-id")
        if identifier is not None:
            response.headers["x-request-id"] = identifier
        return response

    return answer


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Malformed("the content type is not application/json")
    body = msgspec.json.decode(await request.read())
    if not isinstance(body, dict):
        raise Malformed("the body is not an object")
    return body


def _base(request: web.Request) -> str:
    """The identifier of this decision point: the host that the client asked for."""
    return f"https://{request.host}"


def _task(request: web.Request, access: Access, status: int = 200) -> web.Response:
    endpoint = f"{_base(request)}{_REQUESTS}/{access.id}"
    response = _json(view(access, endpoint), status=status)
    if status == 202:
        response.headers["location"] = endpoint
    return response


def _json(value: Any, status: int = 200, content_type: str = "application/json") -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(value), content_type=content_type)
