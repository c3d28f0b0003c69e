"""Real git, in a task, against a real git server: nothing real is in the task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.git_server import GitServer
from tests.support.live import Install, Person

TOKEN = "ghp_4fz81kq90xvwpl27mncb4fz81kq90xvwpl27"


@pytest.fixture
def server(install: Install) -> Iterator[GitServer]:
    """A git server with the repository `ana/app`; its token is the install's, for its host."""
    made = GitServer(install.root / "repositories")
    made.root.mkdir()
    made.make("ana/app")
    made.may[TOKEN] = "write"
    made.start()
    roots = install.root / "roots.pem"
    made.authority.cert_pem.write_to_path(str(roots))
    install.configure(f'[network]\nextra_roots = "{roots}"\n[approvals]\ntimeout = 5\n')
    added = install.cli("credential", "add", "git", "--host", made.host, stdin=TOKEN + "\n")
    assert added.returncode == 0, added.stderr
    yield made
    made.stop()


def _as_ana(command: str) -> list[str]:
    name = "git config --global user.name Ana; git config --global user.email ana@example.com; "
    return ["sh", "-ec", f"export HOME=$PWD; {name}{command}"]


@pytest.mark.parametrize("contain", ["standard", "off"])
def test_clone_fetch_and_push_with_a_stand_in(
    install: Install, server: GitServer, contain: str
) -> None:
    work = (
        f"git clone -q {server.url('ana/app')} app; cd app; git fetch; "
        "git checkout -q -b topic; "
        "echo more >> README; git commit -qam more; git push -q origin topic"
    )
    with Person(install) as person:
        person.answers("", approve=True)
        done = install.cli("run", "--headless", "--contain", contain, "--", *_as_ana(work))
    assert done.returncode == 0, done.stdout + done.stderr
    assert server.tip("ana/app", "refs/heads/topic")
    sent = {password for password, _ in server.seen if password}
    assert sent == {TOKEN}
    assert TOKEN not in done.stdout + done.stderr
