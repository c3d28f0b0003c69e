"""Real agents and a person: what asks is answered, runs out, becomes a ticket, or asks again."""

from __future__ import annotations

from tests.support.live import Person
from tests.support.supervised import Supervised

# Both ask. The folder is no repository, so the push itself fails harmlessly.
PUSH = "git push origin agent/work; echo pushed-$((40 + 2))"
FORCE = "git push --force origin agent/work; echo forced-$((40 + 2))"
# Something the agent does while the person does something else.
WAIT = "until test -e go; do sleep 0.05; done"


async def test_what_asks_goes_on_when_a_person_approves(supervised: Supervised) -> None:
    with Person(supervised.install) as person:
        person.answers("git push")
        output = await supervised.run(supervised.shell(PUSH), supervised.shell(FORCE))
    assert supervised.model.requests, output
    pushed, forced = supervised.model.last.results.values()
    assert "pushed-42" in pushed, output
    assert "forced-42" in forced, output
    asked = await supervised.records("approval.asked")
    answered = await supervised.records("approval.answered")
    opened = await supervised.records("call.opened")
    assert [a["risk"] for a in asked] == ["medium", "high"]
    assert [(a["answer"], bool(a["by"])) for a in answered] == [("approved", True)] * 2
    bound = [(a["approval"], a["call_hash"]) for a in asked]
    assert [(a["approval"], a["call_hash"]) for a in opened] == bound
    assert [(a["approval"], a["call_hash"]) for a in answered] == bound


async def test_a_denial_reaches_the_model_with_the_persons_words(supervised: Supervised) -> None:
    with Person(supervised.install) as person:
        person.answers("git push", approve=False, note="use the staging remote")
        output = await supervised.run(supervised.shell(PUSH))
    told = supervised.last_result()
    assert "denied this" in told, output
    assert "use the staging remote" in told
    assert "pushed-42" not in told
    assert not await supervised.records("call.opened")
    (answered,) = await supervised.records("approval.answered")
    assert (answered["answer"], answered["note"]) == ("denied", "use the staging remote")


async def test_no_answer_in_time_is_no(supervised: Supervised) -> None:
    supervised.install.configure("[approvals]\ntimeout = 1\n")
    output = await supervised.run(supervised.shell(PUSH))
    assert "Nobody answered the approval in time" in supervised.last_result(), output
    (answered,) = await supervised.records("approval.answered")
    assert (answered["answer"], answered["by"]) == ("expired", "")
    assert not await supervised.records("call.opened")


async def test_a_ticket_lets_the_identical_retry_pass_once(supervised: Supervised) -> None:
    """The hook cannot be held; the person answers later; the second retry is a new question."""
    supervised.install.configure("[approvals]\nhold = 1\n")
    push = supervised.shell(PUSH)
    process = await supervised.start(push, supervised.shell(WAIT), push, push)
    (ticket,) = await supervised.recorded("approval.ticket")
    with Person(supervised.install) as person:
        person.answers("git push")
        await supervised.recorded("approval.answered")
    (supervised.install.project / "go").touch()
    output = await supervised.end(process)
    first, _, retried, again = supervised.model.last.results.values()
    assert f"ticket {ticket['approval']}" in first, output
    assert "End your turn" in first
    assert "pushed-42" in retried, output
    asked = await supervised.records("approval.asked")
    assert len(asked) == 2, asked  # for the first call, and for the second retry
    assert asked[0]["call_hash"] == asked[1]["call_hash"]
    assert f"ticket {asked[1]['approval']}" in again, output
    approved = [call for call in await supervised.records("call.opened") if call["approval"]]
    assert [call["approval"] for call in approved] == [ticket["approval"]]


async def test_a_changed_retry_asks_again(supervised: Supervised) -> None:
    """Once with other arguments, once with another content of a file that the call names."""
    supervised.install.configure("[approvals]\nhold = 1\n")
    script = supervised.install.project / "release.sh"
    script.write_text("echo one\n")
    approved = supervised.shell(f"sh release.sh; {PUSH}")
    process = await supervised.start(
        approved,
        supervised.shell(WAIT),
        supervised.shell(f"sh release.sh; {PUSH} again"),
        approved,
    )
    await supervised.recorded("approval.ticket")
    with Person(supervised.install) as person:
        person.answers("sh release.sh")
        await supervised.recorded("approval.answered")
    script.write_text("echo two\n")
    (supervised.install.project / "go").touch()
    output = await supervised.end(process)
    asked = await supervised.records("approval.asked")
    assert len({question["call_hash"] for question in asked}) == 3, output
    _, _, arguments, file = supervised.model.last.results.values()
    assert f"ticket {asked[1]['approval']}" in arguments, output
    assert f"ticket {asked[2]['approval']}" in file, output
    assert not [call for call in await supervised.records("call.opened") if call["approval"]]


async def test_what_changes_while_the_person_decides_does_not_run(supervised: Supervised) -> None:
    script = supervised.install.project / "release.sh"
    script.write_text("echo one\n")
    process = await supervised.start(supervised.shell(f"sh release.sh; {PUSH}"))
    await supervised.recorded("approval.asked")
    script.write_text("echo two\n")
    with Person(supervised.install) as person:
        person.answers("sh release.sh")
        output = await supervised.end(process)
    assert "changed meanwhile" in supervised.last_result(), output
    assert "pushed-42" not in supervised.last_result()
    assert not await supervised.records("call.opened")
