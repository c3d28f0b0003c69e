"""The real agents under `taskpass run`: the whole way of a call.

What the model is told next, what the API saw and what the ledger holds is what counts.
"""

from __future__ import annotations

import pytest

from tests.support.every_agent import ALWAYS, FURTHER, agents
from tests.support.live import ApiServer, Person
from tests.support.supervised import Supervised

every = pytest.mark.parametrize("supervised", agents(), indirect=True)
further = pytest.mark.parametrize("supervised", agents(FURTHER), indirect=True)


def curl(api: ApiServer) -> str:
    return f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}'


@every
async def test_a_routine_call_goes_on_by_itself(supervised: Supervised) -> None:
    output = await supervised.run(supervised.shell("printf '%s-%d' it 42 > made; cat made"))
    assert supervised.model.requests, output
    assert "it-42" in supervised.last_result(), output
    assert (supervised.install.project / "made").read_text() == "it-42"


@pytest.mark.parametrize("supervised", agents(("opencode",)), indirect=True)
async def test_a_project_with_settings_of_its_own_is_left_as_it_is(supervised: Supervised) -> None:
    """It would write beside them, which a contained task may not."""
    settings = supervised.install.project / ".opencode"
    settings.mkdir()
    (settings / "opencode.json").write_text("{}")
    output = await supervised.run(supervised.shell("printf '%s-%d' it 42"))
    assert "it-42" in supervised.last_result(), output
    assert [file.name for file in settings.iterdir()] == ["opencode.json"]


@every
async def test_a_refused_call_tells_the_model_why(supervised: Supervised) -> None:
    output = await supervised.run(supervised.shell("sudo touch /ran"))
    assert supervised.model.requests, output
    assert "sudo" in supervised.last_result(), output
    (denied,) = await supervised.records("call.denied")
    assert denied["preview"] == "sudo touch /ran"


@pytest.mark.parametrize("supervised", ALWAYS, indirect=True)
async def test_a_tool_call_reaches_the_api(supervised: Supervised, api: ApiServer) -> None:
    output = await supervised.run(supervised.shell(f"{curl(api)}/me"))
    assert supervised.model.requests, output
    assert "hello" in supervised.last_result(), output
    assert api.accepted == ["GET /me"]


@further
async def test_a_credential_is_for_the_call_that_was_announced(
    supervised: Supervised, api: ApiServer
) -> None:
    """The next call has its own; by the way of the first it gets nothing."""
    with Person(supervised.install) as person:
        person.answers("read")
        output = await supervised.run(
            supervised.shell(f'{curl(api)}/me; echo "$https_proxy" > way'),
            supervised.shell(f'read -r way < way; {curl(api)}/again -x "$way"; echo "status $?"'),
        )
    first, second = supervised.model.last.results.values()
    assert "hello" in first, output
    assert "hello" not in second
    assert "status" in second
    assert api.accepted == ["GET /me"]
    (use,) = await supervised.records("use.intent")
    opened = await supervised.records("call.opened")
    assert use["call"] == opened[0]["call"]
    assert len(opened) == 2


@further
async def test_a_person_answers_while_the_agent_waits(supervised: Supervised) -> None:
    push = "git push origin agent/work; printf '%s-%d' pushed 42"
    force = "git push --force origin agent/work; printf '%s-%d' forced 42"
    with Person(supervised.install) as person:
        person.answers("git push origin")
        person.answers("git push --force", approve=False, note="not on a Friday")
        output = await supervised.run(supervised.shell(push), supervised.shell(force))
    first, second = supervised.model.last.results.values()
    assert "pushed-42" in first, output
    assert "not on a Friday" in second
    assert "forced-42" not in second
    answers = await supervised.records("approval.answered")
    assert [answer["answer"] for answer in answers] == ["approved", "denied"]
