"""Credentials that were made elsewhere, and what becomes of them when anything goes wrong."""

from __future__ import annotations

import json
from typing import Any

from supervisor.channels.http.kinds import KINDS
from tests.support.failing_daemon import FailingDaemon
from tests.support.fake_github import app_key
from tests.support.faulty_upstream import Answer, Asked
from tests.support.github_server import GitHubServer, github_for
from tests.support.live import Install, wait_for


def _json(install: Install, *words: str) -> dict[str, Any]:
    done = install.cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_issuers_and_channels_are_listed(install: Install) -> None:
    told = _json(install, "credential", "kinds")
    assert [kind["name"] for kind in told["channels"]] == [kind.name for kind in KINDS]
    assert {"stored", "local-jwt", "github-app", "oauth"} <= {k["name"] for k in told["issuers"]}
    for kind in (*told["issuers"], *told["channels"]):
        assert all(kind[part] for part in ("title", "resource", "verb", "lifetime", "bound"))
        assert kind["kill_mode"] in ("wire", "verifier", "upstream")
    shown = install.cli("credential", "kinds").stdout
    assert all(kind["title"] in shown and kind["bound"] in shown for kind in told["issuers"])
    assert install.cli("credential", "live").stdout.startswith("Nothing:")


class _Stubborn:
    """GitHub that fails to delete tokens, until told otherwise."""

    def __init__(self, server: GitHubServer) -> None:
        self._answer = server.github.answer
        self.fails = True
        server.github.answer = self.answer  # type: ignore[method-assign]

    async def answer(self, asked: Asked) -> Answer:
        if self.fails and asked.method == "DELETE":
            return Answer(500)
        return await self._answer(asked)


def test_a_token_is_not_forgotten_by_supervisors_that_die_or_a_github_that_fails(
    install: Install,
) -> None:
    with github_for(install) as server:
        github = _Stubborn(server)
        added = install.cli(
            "credential", "add", "app", "--issuer", "github-app", "--host", "api.github.com",
            "--option", "app=123456", "--option", "installation=4711", "--env", "APP",
            stdin=app_key()[0],
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        install.cli("stop")
        dies = FailingDaemon.start(install, at="use.delivered")
        curl = 'curl -sS -m 20 -H "Authorization: token $APP" https://api.github.com/repos/ana/app'
        run = install.popen("run", "--headless", "--", "sh", "-c", curl)
        dies.wait()
        (token,) = server.github.live()

        # The next one knows of it, and says so as long as GitHub does not confirm.
        (lost,) = wait_for(
            lambda: [
                u for u in _json(install, "credential", "live")["unconfirmed"] if "problem" in u
            ],
            "the next supervisor to try",
        )
        assert (lost["credential"], lost["state"]) == ("app", "unconfirmed")
        assert lost["problem"]
        assert "Not confirmed dead" in install.cli("ps").stdout
        assert "dies by itself in" in install.cli("credential", "live").stdout
        assert server.github.live()

        # Its end is asked for by the one after that, too.
        install.cli("stop")
        github.fails = False
        assert install.cli("ps").returncode == 0
        wait_for(lambda: not server.github.live(), "the token to be deleted")
        wait_for(lambda: install.records("lease.revoked"), "it to be on record")
        run.communicate(timeout=60)
        (revoked,) = install.records("lease.revoked")
        (unconfirmed, *_) = install.records("lease.unconfirmed")
        assert revoked["lease"] == unconfirmed["lease"] == lost["lease"]
        assert revoked["works"] == "no"  # asked, and it said 401
        for record in (revoked, unconfirmed):
            assert all(record[part] for part in ("user", "agent", "runtime", "task"))
        assert _json(install, "credential", "live")["unconfirmed"] == []
        state = install.paths.state
        assert not list((state / "owed").iterdir())
        for file in (*state.rglob("*.json"), install.log, install.paths.ledger):
            assert token.encode() not in file.read_bytes(), file
