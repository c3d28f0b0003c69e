"""A `.env` is imported: what it holds then works in tasks of the project, and for nobody else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.live import TASKPASS, ApiServer, Install
from tests.support.scripted_agent import running
from tests.support.terminal import Terminal

HOST_CALL = 'curl -sS -m 10 -H "Authorization: Bearer $ACME_TOKEN" https://{host}/me'


@pytest.fixture
def env(install: Install, api: ApiServer) -> Path:
    """A project's `.env` with the API's real token."""
    assert install.cli("credential", "remove", "api").returncode == 0
    path = install.project / ".env"
    path.write_bytes(f"# acme\r\nexport ACME_TOKEN='{api.token}'\r\nPORT=3000\r\n".encode())
    path.chmod(0o640)
    return path


def holders(text: str, folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and holds(path, text)]


def holds(file: Path, text: str) -> bool:
    return text.encode() in file.read_bytes()


def run(install: Install, script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TASKPASS, "run", "--headless", "--", "sh", "-c", script],
        cwd=folder, env=install.environ, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_a_file_is_imported_used_stolen_and_restored(
    install: Install, api: ApiServer, env: Path
) -> None:
    before, bind = env.read_bytes(), f"--bind=ACME_TOKEN={api.host}"
    refused = install.cli("import", ".env", bind)
    assert refused.returncode == 2
    assert "Say --yes" in refused.stderr
    assert env.read_bytes() == before
    done = install.cli("import", ".env", bind, "--yes")
    assert done.returncode == 0, done.stderr
    assert api.token not in done.stdout
    stand_in = env.read_text().split("'")[1]
    assert env.read_bytes() == before.replace(api.token.encode(), stand_in.encode())
    assert env.stat().st_mode & 0o777 == 0o640

    call = HOST_CALL.format(host=api.host)
    # Read from the file, and without it: its own stand-in is in the task's environment.
    from_file = "ACME_TOKEN=$(sed -n \"s/.*='\\(.*\\)'.*/\\1/p\" .env)"
    used = run(install, f"cat .env; {from_file}; {call}", install.project)
    assert used.stdout.count('{"hello": "ana"}') == 1, used.stdout + used.stderr
    assert stand_in in used.stdout
    assert api.token not in used.stdout
    assert '{"hello": "ana"}' in run(install, call, install.project).stdout

    # A thief has the file. Outside every task it is nothing; in another project's it sings.
    outside = subprocess.run(
        ["curl", "-sS", "-k", "-H", f"Authorization: Bearer {stand_in}", f"https://{api.host}/me"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "who are you" in outside.stdout
    other = install.home / "other"
    other.mkdir()
    stolen = run(install, f"ACME_TOKEN={stand_in}; {call}", other)
    assert "another project" in stolen.stdout, stolen.stdout + stolen.stderr
    assert len(api.accepted) == 2
    incidents = [r for r in install.records() if r["kind"] == "incident.misplaced_surrogate"]
    assert [record["detail"]["credential"] for record in incidents] == ["acme-token"]
    assert run(install, "echo [$ACME_TOKEN]", other).stdout == "[]\n"

    removed = install.cli("credential", "remove", "acme-token")
    assert f"note: {env} holds its stand-in" in removed.stdout
    assert holders(api.token, install.paths.state) == []
    undo = json.loads(install.cli("import", ".env", "--json").stdout)
    assert undo["undo"] == ""
    undone = install.cli("undo")
    assert undone.returncode == 0, undone.stderr
    assert env.read_bytes() == before
    assert "None yet" in install.cli("credential", "list").stdout


def test_what_stays_is_named_and_keeps_the_file_from_tasks(
    install: Install, api: ApiServer, env: Path
) -> None:
    with env.open("a") as file:
        file.write("JWT_SECRET=0123456789abcdefXYZ\nDATABASE_URL=postgres://localhost/app\n")
    done = install.cli("import", ".env", f"--bind=ACME_TOKEN={api.host}", "--yes")
    assert done.returncode == 0, done.stderr
    lines = {line.split()[1]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert "signs" in lines["JWT_SECRET"]
    assert "a local address" in lines["DATABASE_URL"]
    assert "an ordinary value" in lines["PORT"]
    assert "do not see the file" in done.stdout
    call = HOST_CALL.format(host=api.host)
    used = run(install, f"cat .env; {call}", install.project)
    assert "0123456789abcdefXYZ" not in used.stdout
    assert '{"hello": "ana"}' in used.stdout, used.stdout + used.stderr


async def test_the_person_is_asked_where_an_unknown_secret_is_good(
    install: Install, api: ApiServer, env: Path
) -> None:
    command = [*TASKPASS, "import", ".env"]
    async with Terminal(command, cwd=install.project, environ=install.environ) as terminal:
        await terminal.shows(r"ACME_TOKEN +which host is it for\?")
        await terminal.shows(r"ACME_TOKEN: at which host is it good\?")
        terminal.type(api.host)
        terminal.press("enter")
        await terminal.shows(r"Move this secret to the vault\? \[y/N\]")
        terminal.press("n", "enter")
        assert await terminal.exit_code() == 2
    assert holds(env, api.token)
    async with Terminal(command, cwd=install.project, environ=install.environ) as terminal:
        await terminal.shows(r"at which host is it good\?")
        terminal.type(api.host)
        terminal.press("enter")
        await terminal.shows(r"\[y/N\]")
        terminal.press("y", "enter")
        await terminal.shows("To take it back: taskpass undo r-")
        assert await terminal.exit_code() == 0
    assert not holds(env, api.token)


def test_an_agents_tools_read_the_file_until_a_secret_is_in_it_again(
    install: Install, api: ApiServer
) -> None:
    assert install.cli("credential", "remove", "api").returncode == 0
    env = install.project / "work" / ".env"
    env.parent.mkdir()
    env.write_text(f"ACME_TOKEN={api.token}\n")
    done = install.cli("import", str(env), f"--bind=ACME_TOKEN={api.host}", "--yes")
    assert done.returncode == 0, done.stderr
    stand_in = env.read_text().strip().partition("=")[2]
    ways: tuple[tuple[str, ...], ...] = ((), ("--contain", "off"))
    for options in ways:
        with running(install, *options) as agent:
            assert stand_in in agent.run("cat .env")
            used = HOST_CALL.format(host=api.host).replace("$ACME_TOKEN", "$(cut -d= -f2 .env)")
            assert '{"hello": "ana"}' in agent.run(used)
            assert not agent.begin("echo MORE=1 >> .env").allowed
        (env.parent / "control").unlink()
    with env.open("a") as file:
        file.write("OTHER_SECRET=0123456789abcdefXYZ\n")
    for options in ways:
        with running(install, *options) as agent:
            read = agent.begin("cat .env")
            assert not read.allowed
            assert "a stand-in for each credential" in read.reason
        (env.parent / "control").unlink()
