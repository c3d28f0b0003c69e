"""MCP servers at an address: each call gets a token for itself, and the client's goes nowhere."""

from __future__ import annotations

from tests.e2e.test_mcp_stdio import connected, said
from tests.support.live import Install, Person
from tests.support.mcp_upstream import TOKEN, upstream


async def test_a_token_is_put_in_for_each_call(install: Install) -> None:
    with upstream() as tracker, Person(install) as person:
        roots = install.root / "roots.pem"
        tracker.authority.cert_pem.write_to_path(str(roots))
        install.configure(f'[network]\nextra_roots = "{roots}"\n')
        added = install.cli(
            "credential", "add", "tracker", "--host", tracker.host, "--env", "TRACKER_TOKEN",
            stdin=TOKEN + "\n",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        listed = install.cli(
            "mcp", "add", "notes", "--url", f"https://{tracker.host}/mcp",
            "--bearer-token-env-var", "TRACKER_TOKEN",
        )  # fmt: skip
        assert listed.returncode == 0, listed.stderr
        person.answers("mcp__notes__close_issue", approve=True)
        async with connected(install) as client:
            assert said(await client.call_tool("get_issue", {"number": 7})) == "issue 7"
            # Approved once, as a call: the request that carries it is not asked about again.
            assert said(await client.call_tool("close_issue", {"number": 7})) == "closed 7"
    assert set(tracker.seen) == {f"Bearer {TOKEN}"}
    uses = install.records("use.intent")
    calls = {r["call"]: r["tool"] for r in install.records("call.opened")}
    assert {calls[use["call"]] for use in uses} == {
        "mcp__notes__@tools/list", "mcp__notes__get_issue", "mcp__notes__close_issue",
    }  # fmt: skip
    asked = install.records("approval.asked")
    assert len(asked) == 1, [record["title"] for record in asked]
