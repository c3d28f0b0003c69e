"""Real Claude Code at its daily work with git and GitHub, all of it with stand-ins."""

from __future__ import annotations

from tests.support.agents import RealAgent
from tests.support.fake_github import Token
from tests.support.gh import put_on_path
from tests.support.github_server import github_for
from tests.support.live import Install, Person
from tests.support.scripted_model import ScriptedModel
from tests.support.supervised import supervise

TOKEN = "ghp_4fz81kq90xvwpl27mncb4fz81kq90xvwpl27"


async def test_clone_branch_push_and_the_api_in_one_session(
    claude_code: RealAgent, install: Install, scripted_model: ScriptedModel
) -> None:
    tools = put_on_path(install)
    agent = supervise(claude_code, install, scripted_model)
    with github_for(install) as server, Person(install) as person:
        server.github.tokens[TOKEN] = Token("ana", personal=True)
        added = install.cli(
            "credential", "add", "github", "--host", "api.github.com", "--host", "github.com",
            stdin=TOKEN + "\n",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        first = server.tip("ana/app", "refs/heads/main")
        person.answers("git push origin topic", approve=True)
        person.answers("gh api -X POST", approve=False)
        commit = "git -c user.name=Ana -c user.email=a@b.example commit -q --allow-empty"
        output = await agent.run(
            agent.shell("git clone -q https://github.com/ana/app.git app && echo cloned"),
            agent.shell(f"cd app && git checkout -q -b topic && {commit} -m more && echo made"),
            agent.shell("git push origin topic && echo pushed"),
            agent.shell("git push --force origin topic:main"),
            agent.shell("gh pr list -R ana/app"),
            agent.shell("gh api -X POST repos/ana/app/issues -f title=x"),
            "That was all.",
            options=("--show", tools),
        )
        results = list(scripted_model.last.results.values())
        told = "\n".join(results) + output
        assert [word for word in ("cloned", "made", "pushed") if word not in told] == [], told
        assert "This overwrites or removes a protected branch." in told
        assert "Mend the login" in told
        assert server.tip("ana/app", "refs/heads/topic")
        assert server.tip("ana/app", "refs/heads/main") == first
        assert server.github.done == []
        sent = {header for _, header in server.requests if header}
        assert all(TOKEN in header or header.startswith("Basic ") for header in sent)
    records = await agent.records()
    asked = [record["title"] for record in records if record["kind"] == "approval.asked"]
    assert [title.splitlines()[0] for title in asked] == [
        "git push origin topic && echo pushed",
        "gh api -X POST repos/ana/app/issues -f title=x",
    ]
    uses = [record for record in records if record["kind"] == "use.intent"]
    assert {use["credential"] for use in uses} == {"github"}
    assert all(use["user"] and use["agent"] and use["runtime"] and use["task"] for use in uses)
    assert all(use["until"] > 0 for use in uses)
    assert ["push origin topic"] in [use.get("further") for use in uses]
    assert TOKEN not in str(records) + told
