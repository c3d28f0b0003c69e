"""What the screen knows, from events; records and filters as a person reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supervisor.errors import UsageError
from supervisor.model import LeaseState
from supervisor.protocol import wire
from supervisor.review import query
from tests.support.fake_client import DEPLOY, NOW, approval, records, story, task_view
from tui.records import fields, line
from tui.world import World


def world(*events: wire.Event) -> World:
    made = World()
    for event in events:
        made.apply(event)
    return made


def test_a_snapshot_replaces_what_was_known() -> None:
    made = world(wire.TaskChanged(task=task_view(9, "old")), story())
    assert "t-9" not in made.tasks
    assert made.in_order()[1].parent == "t-1", "a child stands below its parent"


def test_grants_and_leases_go_when_they_end() -> None:
    made = world(story())
    lease = made.leases["l-1"]
    made.apply(wire.LeaseChanged(lease=replace(lease, state=LeaseState.REVOKED)))
    made.apply(wire.GrantChanged(grant=made.grants["g-1"], live=False))
    assert made.leases == {}
    assert [grant.id for grant in made.grants_of("t-1", NOW)] == ["g-2"]
    assert made.grants_of("t-1", NOW + 45) == [], "an expired grant is not shown as live"


def test_a_lease_that_may_still_live_stays_in_sight() -> None:
    made = world(story())
    lease = replace(made.leases["l-1"], state=LeaseState.POSSIBLY_LIVE)
    made.apply(wire.LeaseChanged(lease=lease))
    assert made.leases["l-1"].state is LeaseState.POSSIBLY_LIVE


def test_only_identical_requests_without_code_share_an_answer() -> None:
    made = world(
        *(wire.ApprovalAsked(approval=approval(n)) for n in (1, 2)),
        wire.ApprovalAsked(approval=approval(3, title="gh workflow run other.yml")),
        wire.ApprovalAsked(approval=approval(4, task="t-2")),
        wire.ApprovalAsked(approval=approval(5, code="K7")),
        wire.ApprovalAsked(approval=approval(6, code="K7")),
    )
    assert [batch.ids for batch in made.pending(NOW)] == [
        ("a-1", "a-2"), ("a-3",), ("a-4",), ("a-5",), ("a-6",),
    ]  # fmt: skip


def test_requests_leave_the_queue_when_answered_or_over() -> None:
    made = world(story(), wire.ApprovalAsked(approval=approval(2, expires=NOW + 1)))
    assert [batch.first.id for batch in made.pending(NOW)] == ["a-1", "a-2"]
    assert [batch.first.id for batch in made.pending(NOW + 2)] == ["a-1"]
    made.apply(wire.ApprovalAnswered(id=DEPLOY.id, answer="denied"))
    assert made.pending(NOW + 2) == []


def test_a_run_screen_asks_only_for_its_own_family() -> None:
    made = world(
        story(),
        wire.ApprovalAsked(approval=approval(2, task="t-1.1")),
        wire.ApprovalAsked(approval=approval(3, task="t-2")),
    )
    asked = {batch.first.task for batch in made.pending(NOW, made.family("t-1"))}
    assert asked == {"t-1", "t-1.1"}


def test_records_are_told_in_words() -> None:
    told = {(one.kind, one.sentence, one.decision) for one in map(line, records())}
    assert ("task.revoked", "by ana, 3 leases closed", "REVOKED") in told
    assert ("call.denied", "cat .env", "DENY") in told
    assert ("incident.surrogate_elsewhere", "surrogate elsewhere", "INCIDENT") in told
    assert any(decision == "approved" for _, _, decision in told)


def test_a_record_of_an_unknown_kind_is_shown_all_the_same() -> None:
    assert line({"seq": 1, "time": NOW, "kind": "moon.landed"}).sentence == "moon.landed"
    assert line({}).seq == 0
    assert ("a.b", "[1]") in fields({"a": {"b": [1]}})


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("decision:deny", {"call.denied"}),
        ("task:5 decision:revoked,deny", {"task.revoked"}),
        ("kind:task.frozen", {"task.frozen"}),
        ("host:paste.example", {"incident.surrogate_elsewhere"}),
        ("SECRETS", {"call.denied"}),
        ("call:c-7d1 npm", {"call.opened"}),
        ("nothing-like-this", set()),
    ],
)
def test_filters_find_records(source: str, kinds: set[str]) -> None:
    wanted = query.parse(source, NOW, lambda shown: f"t-{shown}" if shown.isdecimal() else shown)
    found = {r["kind"] for r in records() if wanted.matches(r)}
    assert found == kinds


def test_a_filter_with_an_unknown_field_says_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"no field “colour”.*task, decision"):
        query.parse("colour:red")
