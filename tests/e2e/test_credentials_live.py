"""A tool call reaches an API with a credential it never sees."""

from __future__ import annotations

import json
import os
import subprocess

import pytest

from tests.support.live import TASKPASS, ApiServer, Install, wait_for
from tests.support.terminal import Terminal

CURL = 'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN"'


def test_a_contained_program_reaches_the_api_with_a_stand_in(
    install: Install, api: ApiServer
) -> None:
    done = install.cli("run", "--headless", "--", "sh", "-c", f"{CURL} https://{api.host}/me")
    assert (done.returncode, done.stdout) == (0, '{"hello": "ana"}'), done.stderr
    assert api.accepted == ["GET /me"]


def test_the_stand_in_alone_is_worth_nothing(install: Install, api: ApiServer) -> None:
    done = install.cli("run", "--headless", "--", "sh", "-c", "echo $API_TOKEN")
    stand_in = done.stdout.strip()
    assert stand_in.startswith("real-") is False or stand_in != api.token
    assert len(stand_in) == len(api.token)
    assert stand_in != api.token


@pytest.mark.parametrize("verb", ["DELETE"])
def test_what_asks_is_not_done_when_nobody_answers(
    install: Install, api: ApiServer, verb: str
) -> None:
    config = install.paths.config / "config.toml"
    install.configure("[approvals]\ntimeout = 1\n" + config.read_text())
    install.cli("stop")
    done = install.cli(
        "run", "--headless", "--", "sh", "-c", f"{CURL} -X {verb} https://{api.host}/me"
    )
    assert "time" in done.stdout, done.stdout
    assert api.accepted == []


def test_a_credential_is_tried_rotated_and_removed(install: Install, api: ApiServer) -> None:
    tried = install.cli("credential", "test", "api", "/me")
    assert (tried.returncode, tried.stdout) == (
        0, f"api: GET https://{api.host}/me answered 200\n",
    ), tried.stderr  # fmt: skip
    rotated = install.cli("credential", "rotate", "api", stdin="an-old-token-of-somebody-else\n")
    assert (rotated.returncode, rotated.stdout) == (0, "rotated: api\n"), rotated.stderr
    refused = install.cli("credential", "test", "api", "/me", "--json")
    assert refused.returncode == 1, refused.stderr
    assert json.loads(refused.stdout)["result"]["status"] == 401
    back = install.cli("credential", "rotate", "api", stdin=api.token + "\n")
    assert back.returncode == 0, back.stderr
    assert api.seen[-1][1] == "Bearer an-old-token-of-somebody-else"
    done = install.cli("run", "--headless", "--", "sh", "-c", f"{CURL} https://{api.host}/me")
    assert done.returncode == 0, done.stderr
    removed = install.cli("credential", "remove", "api")
    assert (removed.returncode, removed.stdout) == (0, "removed: api\n"), removed.stderr
    assert install.cli("credential", "test", "api").returncode == 1
    kinds = [record["kind"] for record in install.records() if "credential" in record["kind"]]
    assert kinds == [
        "credential.added", "credential.tested", "credential.rotated", "credential.tested",
        "credential.rotated", "credential.removed",
    ]  # fmt: skip
    said = tried.stdout + refused.stdout + rotated.stdout + removed.stdout
    assert api.token not in said


def test_rotating_and_removing_cut_what_is_lent(install: Install, api: ApiServer) -> None:
    for verb, stdin in (("rotate", api.token + "\n"), ("remove", "")):
        before = len(api.accepted)
        task = install.popen(
            "run", "--headless", "--", "sh", "-c", f"{CURL} -N -m 60 https://{api.host}/stream"
        )
        wait_for(lambda seen=before: len(api.accepted) > seen, "the stream to begin")
        done = install.cli("credential", verb, "api", stdin=stdin)
        assert done.returncode == 0, done.stderr
        assert "1 lease ended, 2 connections cut" in done.stdout  # the task's and the host's
        assert ("live: task" in done.stdout) is (verb == "remove")
        assert task.wait(30) != 0


def test_a_secret_of_another_vault_is_looked_up_at_each_use_and_stored_nowhere(
    install: Install, api: ApiServer
) -> None:
    tool = install.home / "bin" / "gh"
    tool.parent.mkdir()
    asked = install.home / "asked"
    tool.write_text(f'#!/bin/sh\necho "$*" >> {asked}\necho {api.token}\n')
    tool.chmod(0o755)
    environ = install.environ | {"PATH": f"{tool.parent}:{install.environ['PATH']}"}
    added = subprocess.run(
        [*TASKPASS, "credential", "add", "hub", "--host", api.host, "--env", "HUB",
         "--from", "cmd://gh auth token", "--json"],
        env=environ, cwd=install.project, capture_output=True, text=True,
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout)["added"]["name"] == "hub"
    assert asked.read_text() == "auth token\n"
    assert "cmd://gh auth token, since" in install.cli("credential", "list").stdout
    done = install.cli(
        "run", "--headless", "--", "sh", "-c",
        f'echo $HUB; curl -sS -m 10 -H "Authorization: Bearer $HUB" https://{api.host}/me',
    )  # fmt: skip
    stand_in, answer = done.stdout.splitlines()
    assert answer == '{"hello": "ana"}', done.stderr
    assert stand_in != api.token
    assert len(stand_in) == len(api.token)
    assert asked.read_text() == "auth token\n" * 2
    tool.write_text(f"#!/bin/sh\necho {api.token}; exit 4\n")
    refused = install.cli(
        "run", "--headless", "--", "sh", "-c",
        f'curl -sS -m 10 -H "Authorization: Bearer $HUB" https://{api.host}/me',
    )  # fmt: skip
    assert "`gh auth token` ended with 4" in refused.stdout
    assert api.token not in refused.stdout
    assert len(api.accepted) == 1


def test_a_variable_of_the_terminal_is_lent_and_not_passed_on(
    install: Install, api: ApiServer
) -> None:
    added = install.cli(
        "credential", "add", "ci", "--host", api.host, "--from", "env://CI_TOKEN", "--env", "CI"
    )
    assert added.returncode == 0, added.stderr
    script = (
        f'env; curl -sS -m 10 -H "Authorization: Bearer $CI_TOKEN" https://{api.host}/me; '
        f'curl -sS -m 10 -H "Authorization: Bearer $CI" https://{api.host}/me'
    )
    run = ("run", "--headless", "--", "sh", "-c", script)
    lent = subprocess.run(
        [*TASKPASS, *run], env=install.environ | {"CI_TOKEN": api.token}, cwd=install.project,
        capture_output=True, text=True,
    )  # fmt: skip
    assert lent.stdout.count('{"hello": "ana"}') == 2, lent.stdout + lent.stderr
    assert api.token not in lent.stdout
    without = install.cli(*run)
    assert "CI_TOKEN was not set where this task was started" in without.stdout


async def test_secrets_under_a_passphrase_wait_for_it_after_each_start(
    install: Install, api: ApiServer
) -> None:
    call = ("run", "--headless", "--", "sh", "-c", f"{CURL} https://{api.host}/me")
    short = install.cli("credential", "protect", "passphrase", stdin="short\n")
    assert (short.returncode, short.stderr) == (
        2,
        "taskpass: A passphrase has at least 8 characters.\n",
    )
    kept = install.cli("credential", "protect", "passphrase", stdin="correct horse\n")
    assert kept.stdout == "kept by passphrase from now on; moved: api\n", kept.stderr
    assert install.cli(*call).stdout == '{"hello": "ana"}'
    install.cli("stop")
    locked = install.cli(*call)
    assert locked.returncode != 0
    assert "taskpass unlock" in locked.stderr
    wrong = install.cli("unlock", stdin="wrong horse\n")
    assert wrong.returncode == 1
    assert "wrong passphrase" in wrong.stderr
    assert install.cli("unlock", stdin="correct horse\n").stdout == "unlocked\n"
    assert install.cli(*call).stdout == '{"hello": "ana"}'
    # … or where the task is started.
    install.cli("stop")
    shown = [*TASKPASS, "run", *call[2:-1], f"{call[-1]}; read wait"]
    async with Terminal(shown, cwd=install.project, environ=install.environ) as terminal:
        await terminal.shows("Passphrase of the secrets")
        terminal.type("correct horse")
        terminal.press("enter")
        await terminal.shows('{"hello": "ana"}')
    told = json.loads(install.cli("credential", "list", "--json").stdout)["credentials"]
    assert [row["protection"] for row in told] == ["passphrase"]
    where = json.loads(install.cli("credential", "protect", "--json").stdout)["vault"]
    assert where["protection"] == "passphrase"
    assert install.cli("credential", "protect", "file-key").returncode == 0
    assert install.cli("unlock").stdout == "Nothing is locked.\n"


def test_what_cannot_be_is_one_sentence(install: Install) -> None:
    (install.project / ".env").write_bytes(b"\x00\xff=\xfe\n'\n=\n")
    (install.project / "huge").write_bytes(b"A=1\n" * 300_000)
    (install.project / "pipe").unlink(missing_ok=True)
    os.mkfifo(install.project / "pipe")
    for code, *words in (
        (1, "credential", "remove", "a b"),
        (1, "credential", "remove", "../../hello"),
        (1, "credential", "rotate", "é?x#y"),
        (1, "credential", "test", ""),
        (2, "credential", "add", "x", "--host", "a.test", "--option", "z"),
        (2, "credential", "add", "x", "--host", "a.test", "--from", "ghp_token"),
        (2, "credential", "add", "x", "--host", "a.test", "--from", "cmd://no-such-program"),
        (1, "credential", "add", "x", "--host", "a.test", "--from", "cmd://false"),
        (2, "credential", "add", "x", "--host", "a.test", "--issuer", "reference"),
        (1, "credential", "protect", "keyring"),
        (2, "import", "nope"),
        (2, "import", "."),
        (2, "import", "huge"),
        (2, "import", "pipe"),
        (2, "import", ".env", "--bind", "X"),
        (2, "import", ".env", "--bind", "X=a.test"),
    ):
        done = install.cli(*map(str, words), stdin="a-long-enough-secret\n")
        assert done.returncode == code, (words, done.stderr)
        assert done.stderr.startswith("taskpass: "), (words, done.stderr)
        assert done.stderr.count("\n") == 1, (words, done.stderr)
        assert "a-long-enough-secret" not in done.stderr
    assert install.cli("import", ".env", "--dry-run").returncode == 0
    assert install.records("credential.added") == []
