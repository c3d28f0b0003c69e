"""Real Claude Code and real Codex under `taskpass run`: the whole way of a call.

What the model is told next, what the API saw and what the ledger holds is what counts.
"""

from __future__ import annotations

from tests.support.live import ApiServer
from tests.support.supervised import Supervised


async def test_a_routine_call_goes_on_by_itself(supervised: Supervised) -> None:
    output = await supervised.run(supervised.shell("echo it-$((40 + 2)) > made; cat made"))
    assert supervised.model.requests, output
    assert "it-42" in supervised.last_result(), output


async def test_a_refused_call_tells_the_model_why(supervised: Supervised) -> None:
    output = await supervised.run(supervised.shell("sudo touch /ran"))
    assert supervised.model.requests, output
    assert "sudo" in supervised.last_result(), output
    (denied,) = supervised.install.records("call.denied")
    assert denied["preview"] == "sudo touch /ran"


async def test_a_tool_call_reaches_the_api(supervised: Supervised, api: ApiServer) -> None:
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}/me'
    output = await supervised.run(supervised.shell(curl))
    assert supervised.model.requests, output
    assert "hello" in supervised.last_result(), output
    assert api.accepted == ["GET /me"]
