"""The cases of the Authorization API 1.0 and of the Access Request and Approval Profile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from supervisor.authzen.routes import Routes
from supervisor.authzen.service import Service
from supervisor.model import Answer, Decision, Outcome, Risk, Scope, Verb
from tests.support.core_fakes import World
from tests.support.live import until

ASK = Decision(Outcome.ASK, "sends data", ("standard/http.send",), risk=Risk.MEDIUM)
DENY = Decision(Outcome.DENY, "Not in this house.", ("no",), hint="Use the other door.")
Body = dict[str, Any]


class Point:
    """A decision point with one task, spoken to over HTTP."""

    def __init__(self, world: World, client: TestClient[Any, Any]) -> None:
        self.world = world
        self.client = client

    def asks(self, verb: Verb = Verb.HTTP) -> None:
        self.world.policy.answers[verb] = ASK

    def request(self, **changes: Any) -> Body:
        """POST api.example/issues, by the task."""
        return {
            "subject": {"type": "task", "id": self.world.task},
            "action": {"name": "http"},
            "resource": {
                "type": "host",
                "id": "api.example",
                "properties": {"method": "POST", "path": "/issues"},
            },
        } | changes

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        async with self.client.post(path, json=body, headers=headers) as response:
            json = response.content_type.endswith("json")
            return response.status, await (response.json() if json else response.text())

    async def evaluate(self, **changes: Any) -> Body:
        status, body = await self.post("/access/v1/evaluation", self.request(**changes))
        assert status == 200
        return dict(body)

    async def denial(self) -> Body:
        """`denial` for a submission, from a fresh evaluation."""
        context = (await self.evaluate())["context"]
        return {
            "evaluation_id": context["evaluation_id"],
            "expires_at": context["access_request"]["expires_at"],
        }

    async def submit(self, denial: Body, *, key: str = "", **changes: Any) -> tuple[int, Any]:
        headers = {"idempotency-key": key} if key else {}
        body = self.request(denial=denial, **changes)
        return await self.post("/access/v1/requests", body, **headers)

    async def answer(self, answer: Answer, scope: Scope = Scope.ONCE) -> None:
        approvals = self.world.engine.approvals
        await until(approvals.all_pending, "the question")
        (pending,) = approvals.all_pending()
        await approvals.answer(
            pending.id, answer=answer, scope=scope, minutes=15, by="ana", code=pending.code
        )

    async def status(self, task: Body, wanted: str) -> Body:
        """The task's status once it is `wanted`."""
        path = task["status_endpoint"].partition("/access")[2]
        found: Body = {}

        async def reached() -> bool:
            async with self.client.get("/access" + path) as response:
                found.update(await response.json())
            return bool(found["task"]["status"] == wanted)

        for _ in range(200):
            if await reached():
                return found
        raise AssertionError(f"still {found}")

    async def approved(self, scope: Scope = Scope.ONCE) -> Body:
        """Go the whole way to an approval; the `approval` object."""
        _, submitted = await self.submit(await self.denial())
        await self.answer(Answer.APPROVED, scope)
        done = await self.status(submitted["task"], "approved")
        return dict(done["result"]["approval"])


@pytest.fixture
async def point() -> AsyncIterator[Point]:
    world = World()
    app = web.Application()
    Routes(Service(world.engine)).add_to(app)
    async with TestClient(TestServer(app)) as client:
        yield Point(world, client)


# ── Access Evaluation API ───────────────────────────────────────────────────────────────────


async def test_what_policy_allows_is_permitted_and_on_record(point: Point) -> None:
    decision = await point.evaluate()
    assert decision["decision"] is True
    (record,) = [r for r in point.world.ledger.records if r["kind"] == "evaluation"]
    assert record["evaluation"] == decision["context"]["evaluation_id"]
    assert (record["task"], record["outcome"]) == (point.world.task, Outcome.ALLOW)
    assert record["effects"] == ["POST api.example/issues"]
    assert record["preview"] == "POST api.example/issues"


async def test_a_denial_is_a_good_answer_that_says_no(point: Point) -> None:
    point.world.policy.answers[Verb.HTTP] = DENY
    decision = await point.evaluate()
    assert decision["decision"] is False
    assert "Use the other door." in decision["context"]["reason_user"]
    assert "access_request" not in decision["context"]


async def test_without_a_record_there_is_no_permission(point: Point) -> None:
    point.world.ledger.fails.add("evaluation")
    status, _ = await point.post("/access/v1/evaluation", point.request())
    assert status >= 500


@pytest.mark.parametrize(
    ("action", "resource", "verb"),
    [
        ("run", {"type": "command", "id": "ls -l"}, Verb.RUN),
        ("read", {"type": "path", "id": "/work/a.txt"}, Verb.READ),
        ("push", {"type": "ref", "id": "origin main"}, Verb.PUSH),
        ("mcp", {"type": "tool", "id": "github.create_issue"}, Verb.MCP),
    ],
)
async def test_every_effect_can_be_asked_about(
    point: Point, action: str, resource: Body, verb: Verb
) -> None:
    changes = {"action": {"name": action}, "resource": resource}
    assert (await point.evaluate(**changes))["decision"] is True
    point.world.policy.answers[verb] = DENY
    assert (await point.evaluate(**changes))["decision"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": {"type": "task", "id": "t-unknown"}},
        {"subject": {"type": "user", "id": "ana"}},
        {"action": {"name": "fly"}},
        {"action": {"name": "run"}},
        {"action": {"name": "read"}, "resource": {"type": "path", "id": "relative"}},
        {"resource": {"type": "host", "id": "h", "properties": {"method": []}}},
    ],
    ids=str,
)
async def test_what_is_not_known_is_denied(point: Point, changes: Body) -> None:
    assert (await point.evaluate(**changes))["decision"] is False


async def test_a_revoked_task_is_denied(point: Point) -> None:
    point.world.entry.revoked = True
    assert (await point.evaluate())["decision"] is False


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"subject": {"type": "task", "id": "t"}, "action": {"name": "http"}},
        {"subject": "t", "action": {"name": "a"}, "resource": {"type": "a", "id": "b"}},
        {"subject": {"type": "t"}, "action": {"name": "a"}, "resource": {"type": "a", "id": "b"}},
        {"subject": {"type": "t", "id": "x"}, "action": {}, "resource": {"type": "a", "id": "b"}},
    ],
    ids=str,
)
async def test_a_missing_required_member_is_a_bad_request(point: Point, body: Any) -> None:
    status, text = await point.post("/access/v1/evaluation", body)
    assert status == 400
    assert isinstance(text, str)


async def test_only_json_is_taken(point: Point) -> None:
    for data, kind in ((b"{", "application/json"), (b"{}", "text/plain")):
        async with point.client.post(
            "/access/v1/evaluation", data=data, headers={"content-type": kind}
        ) as response:
            assert response.status == 400


async def test_unknown_members_are_ignored_and_the_request_id_comes_back(point: Point) -> None:
    async with point.client.post(
        "/access/v1/evaluation",
        json=point.request(extra=1, context={"time": "2026-01-01T00:00:00Z"}),
        headers={"x-request-id": "bfe9eb29"},
    ) as response:
        assert (await response.json())["decision"] is True
        assert response.headers["x-request-id"] == "bfe9eb29"
        assert response.content_type == "application/json"


# ── Access Evaluations API ──────────────────────────────────────────────────────────────────


def batch(point: Point, *verbs: str, **top: Any) -> Body:
    """Evaluations with the subject and resource as defaults."""
    body = point.request(**top)
    del body["action"]
    return body | {"evaluations": [{"action": {"name": verb}} for verb in verbs]}


async def decisions(point: Point, body: Body) -> list[bool]:
    status, answer = await point.post("/access/v1/evaluations", body)
    assert status == 200
    return [each["decision"] for each in answer["evaluations"]]


@pytest.mark.parametrize(
    ("semantic", "expected"),
    [
        ("", [True, False, True]),
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
async def test_the_three_semantics(point: Point, semantic: str, expected: list[bool]) -> None:
    point.world.policy.answers[Verb.CONNECT] = DENY
    body = batch(point, "http", "connect", "mcp")
    if semantic:
        body["options"] = {"evaluations_semantic": semantic, "another_option": "value"}
    assert await decisions(point, body) == expected


async def test_permit_on_first_permit_goes_past_denials(point: Point) -> None:
    point.world.policy.answers[Verb.CONNECT] = DENY
    body = batch(point, "connect", "http", "connect")
    body["options"] = {"evaluations_semantic": "permit_on_first_permit"}
    assert await decisions(point, body) == [False, True]


async def test_without_evaluations_it_is_the_single_api(point: Point) -> None:
    for body in (point.request(), point.request(evaluations=[])):
        _, answer = await point.post("/access/v1/evaluations", body)
        assert answer["decision"] is True


async def test_an_entry_replaces_a_default_as_a_whole(point: Point) -> None:
    other = {"type": "task", "id": "t-unknown"}
    body = batch(point, "http", "http")
    body["evaluations"][1]["subject"] = other
    assert await decisions(point, body) == [True, False]


async def test_an_error_in_one_entry_is_that_entrys_own(point: Point) -> None:
    body = batch(point, "http", "http")
    body["evaluations"][0] = {"action": {}}
    status, answer = await point.post("/access/v1/evaluations", body)
    assert status == 200
    first, second = answer["evaluations"]
    assert first["decision"] is False
    assert first["context"]["error"]["status"] == 400
    assert second["decision"] is True


async def test_an_unknown_semantic_is_a_bad_request(point: Point) -> None:
    body = batch(point, "http") | {"options": {"evaluations_semantic": "guess"}}
    assert (await point.post("/access/v1/evaluations", body))[0] == 400


# ── Metadata ────────────────────────────────────────────────────────────────────────────────


async def test_metadata_names_the_endpoints_below_the_identifier(point: Point) -> None:
    async with point.client.get(
        "/.well-known/authzen-configuration", headers={"host": "supervisor"}
    ) as response:
        assert response.status == 200
        told = await response.json()
    assert told == {
        "policy_decision_point": "https://supervisor",
        "access_evaluation_endpoint": "https://supervisor/access/v1/evaluation",
        "access_evaluations_endpoint": "https://supervisor/access/v1/evaluations",
        "access_request_endpoint": "https://supervisor/access/v1/requests",
        "capabilities": ["urn:openid:authzen:capability:access-request"],
    }


# ── Access Request and Approval Profile ─────────────────────────────────────────────────────


async def test_the_loop_from_denial_to_approval_to_permission(point: Point) -> None:
    point.asks()
    denied = await point.evaluate()
    assert denied["decision"] is False
    assert denied["context"]["reason"] == "approval_required"
    denial = await point.denial()
    status, submitted = await point.submit(denial)
    assert status == 202
    assert submitted["task"]["status"] == "pending"
    assert "result" not in submitted
    await point.answer(Answer.APPROVED)
    done = await point.status(submitted["task"], "approved")
    assert done["result"]["mode"] == "reevaluate"
    approval = done["result"]["approval"]
    assert (await point.evaluate())["decision"] is False, "an approval alone permits nothing"
    allowed = await point.evaluate(context={"approval": approval})
    assert allowed["decision"] is True
    assert allowed["context"]["approval"]["approved_until"] == approval["approved_until"]
    kinds = point.world.ledger.kinds
    assert [k for k in kinds if k.startswith("approval.")] == [
        "approval.asked", "approval.answered",
    ]  # fmt: skip


async def test_an_answer_given_once_serves_once(point: Point) -> None:
    point.asks()
    approval = await point.approved()
    assert (await point.evaluate(context={"approval": approval}))["decision"] is True
    again = await point.evaluate(context={"approval": approval})
    assert again["decision"] is False
    assert again["context"]["reason"] == "approval_expired"
    assert again["context"]["next_action"] == "request"
    assert "access_request" in again["context"]


async def test_an_approval_is_for_what_was_denied_alone(point: Point) -> None:
    point.asks()
    approval = await point.approved()
    other = {"type": "host", "id": "evil.example", "properties": {"method": "POST", "path": "/"}}
    denied = await point.evaluate(resource=other, context={"approval": approval})
    assert denied["decision"] is False
    assert denied["context"]["reason"] == "out_of_scope"
    with_secret = await point.evaluate(context={"approval": approval, "credential": "api"})
    assert with_secret["decision"] is False


async def test_an_invented_approval_is_worth_nothing(point: Point) -> None:
    point.asks()
    for invented in ({"id": "apr-invented"}, {"id": None}, "apr", {}):
        denied = await point.evaluate(context={"approval": invented})
        assert denied["decision"] is False
        assert denied["context"]["reason"] == "approval_unverifiable"
        assert denied["context"]["next_action"] == "none"


async def test_policy_stays_in_force_after_an_approval(point: Point) -> None:
    point.asks()
    approval = await point.approved()
    point.world.policy.answers[Verb.HTTP] = DENY
    assert (await point.evaluate(context={"approval": approval}))["decision"] is False


async def test_a_revoked_tasks_approval_is_worth_nothing(point: Point) -> None:
    point.asks()
    approval = await point.approved()
    point.world.entry.epoch += 1
    denied = await point.evaluate(context={"approval": approval})
    assert denied["decision"] is False
    assert denied["context"]["reason"] == "approval_expired"


async def test_a_denied_request_permits_nothing(point: Point) -> None:
    point.asks()
    _, submitted = await point.submit(await point.denial())
    await point.answer(Answer.DENIED)
    done = await point.status(submitted["task"], "denied")
    assert "result" not in done


async def test_a_pending_request_can_be_cancelled_once(point: Point) -> None:
    point.asks()
    _, submitted = await point.submit(await point.denial())
    await until(point.world.engine.approvals.all_pending, "the question")
    cancel = "/access" + submitted["task"]["links"]["cancel"].partition("/access")[2]
    status, answer = await point.post(cancel, {})
    assert (status, answer["task"]["status"]) == (200, "cancelled")
    assert not point.world.engine.approvals.all_pending()
    status, problem = await point.post(cancel, {})
    assert status == 409
    assert problem["type"].endswith(":invalid_task_state")


async def problem_of(point: Point, denial: Body, **changes: Any) -> str:
    status, problem = await point.submit(denial, **changes)
    assert problem["status"] == status >= 400
    return str(problem["type"]).rpartition(":")[2]


async def test_a_request_is_bound_to_its_denial(point: Point) -> None:
    point.asks()
    denial = await point.denial()
    other = {"type": "host", "id": "evil.example"}
    wrong = "invalid_denial_binding"
    assert await problem_of(point, denial, resource=other) == wrong
    assert await problem_of(point, denial, context={"credential": "api"}) == wrong
    assert await problem_of(point, denial | {"evaluation_id": "e-invented"}) == wrong
    assert await problem_of(point, denial | {"expires_at": "2099-01-01T00:00:00Z"}) == wrong
    assert await problem_of(point, {}) == wrong
    assert not point.world.engine.approvals.all_pending()


async def test_what_nobody_can_lift_is_not_requestable(point: Point) -> None:
    point.world.policy.answers[Verb.HTTP] = DENY
    evaluation = (await point.evaluate())["context"]["evaluation_id"]
    denial = {"evaluation_id": evaluation, "expires_at": "2099-01-01T00:00:00Z"}
    assert await problem_of(point, denial) == "not_requestable"


async def test_a_denial_expires(point: Point) -> None:
    point.asks()
    denial = await point.denial()
    later = datetime.fromisoformat(denial["expires_at"]) + timedelta(seconds=1)
    with time_machine.travel(later, tick=True):
        assert await problem_of(point, denial) == "expired_denial"


async def test_a_repeated_submission_is_the_same_request(point: Point) -> None:
    point.asks()
    denial = await point.denial()
    _, first = await point.submit(denial, key="k-1")
    _, again = await point.submit(denial, key="k-1")
    assert again["task"]["id"] == first["task"]["id"]
    changed = {"context": {"business_justification": "another"}}
    status, problem = await point.submit(denial, key="k-1", **changed)
    assert (status, problem["type"].rpartition(":")[2]) == (409, "duplicate_request")


async def test_an_unknown_request_is_not_found(point: Point) -> None:
    async with point.client.get("/access/v1/requests/arq-unknown") as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        assert (await response.json())["type"].endswith(":unknown_task")


async def test_the_justification_is_shown_as_the_askers_own_words(point: Point) -> None:
    point.asks()
    words = {"context": {"business_justification": "renewal review"}}
    await point.submit(await point.denial(), **words)
    await until(point.world.engine.approvals.all_pending, "the question")
    (pending,) = point.world.engine.approvals.all_pending()
    assert pending.agent_note == "renewal review"
    assert pending.title == "http api.example"
