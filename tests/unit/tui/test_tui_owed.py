"""What has ended here and may be live elsewhere stays before the person's eyes."""

from __future__ import annotations

from typing import Any

from supervisor.model import LeaseState
from supervisor.protocol import wire
from tests.support.fake_client import NOW
from tests.support.tui_driver import running
from tui.records import line as short
from tui.screens.grants import GrantsDialog
from tui.widgets.line import Line
from tui.world import World


def owed(number: int = 1, **changes: Any) -> wire.OwedView:
    about: dict[str, Any] = {
        "id": f"o-{number}", "lease": f"l-{number}", "task": "t-1", "credential": "github-app",
        "issuer": "github-app", "state": LeaseState.UNCONFIRMED, "ended": NOW - 5,
        "until": NOW + 3540, "tries": 2, "problem": "api.github.com answers 500.",
    }  # fmt: skip
    return wire.OwedView(**(about | changes))


def test_it_is_known_until_it_is_dead() -> None:
    made = World()
    made.apply(wire.Snapshot(session="s", now=NOW, owed=(owed(1), owed(2, until=NOW + 9))))
    assert [one.id for one in made.owed_of("t-1")] == ["o-2", "o-1"]  # which dies first in front
    assert made.owed_of("t-2") == []
    made.apply(wire.OwedChanged(owed=owed(1, state=LeaseState.IRREVOCABLE)))
    assert made.owed["o-1"].state == "irrevocable"
    made.apply(wire.OwedChanged(owed=owed(1), live=False))
    assert [one.id for one in made.owed_of("")] == ["o-2"]


def test_tokens_that_just_expire_are_one_line() -> None:
    made = World()
    for number in range(1, 9):
        ends = owed(number, state=LeaseState.EXPIRING, until=NOW + number, problem="")
        made.apply(wire.OwedChanged(owed=ends))
    made.apply(wire.OwedChanged(owed=owed(9, until=NOW + 4)))
    assert [one.id for one in made.owed_of("t-1")] == ["o-9", "o-8"]


async def test_it_stands_among_the_grants_of_its_task() -> None:
    async with running() as d:
        assert "unconfirmed" not in d.said("side-grants")
        d.client.send(wire.OwedChanged(owed=owed()))
        await d.until(lambda: "unconfirmed" in d.said("side-grants"))
        assert "dies in 59" in d.said("side-grants")
        assert "answers 500" in d.said("side-grants")
        d.client.send(wire.OwedChanged(owed=owed(), live=False))
        await d.until(lambda: "unconfirmed" not in d.said("side-grants"))


async def test_of_all_tasks_it_stands_above_the_grants() -> None:
    async with running() as d:
        d.client.send(wire.OwedChanged(owed=owed(task="t-of-an-earlier-supervisor")))
        await d.lead("g")
        await d.until(lambda: isinstance(d.app.screen, GrantsDialog))
        line = d.app.screen.query_one("#grants-owed", Line)
        await d.until(lambda: "Not confirmed dead" in str(line.said))
        assert "github-app" in str(line.said)
        assert line.display
        d.client.send(wire.OwedChanged(owed=owed(), live=False))
        await d.until(lambda: not line.display)


def test_what_a_service_says_cannot_write_to_the_screen() -> None:
    from tui.panels import owed as drawn

    text = drawn(owed(problem="no\x1b[2J\nyes\r\x07"), NOW, 40).plain
    assert "\x1b" not in text
    assert len(text.splitlines()) == 2


def test_the_history_says_what_became_of_it() -> None:
    def said(kind: str, **more: Any) -> tuple[str, str]:
        record = {"seq": 1, "time": NOW, "kind": kind, "task": "t-1", "credential": "app", **more}
        made = short(record)
        return made.decision, made.sentence

    assert said("lease.revoked", works="no") == (
        "REVOKED", "app revoked at its issuer, and asked again it is refused",
    )  # fmt: skip
    assert said("lease.revoked", works="cannot be asked")[1] == "app revoked at its issuer"
    assert said("lease.unconfirmed", problem="It hangs.") == (
        "UNCONFIRMED", "app unconfirmed: It hangs.",
    )  # fmt: skip
    assert said("lease.irrevocable", problem="Lost.")[0] == "IRREVOCABLE"
    assert said("lease.expired") == ("expired", "app died by itself")
    quiet = {"seq": 1, "time": NOW, "kind": "lease.revoked"}
    assert not short(quiet).notable
    assert short(quiet | {"kind": "lease.unconfirmed"}).notable
