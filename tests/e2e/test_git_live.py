"""Real git, in a task, against a real git server: nothing real is in the task."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.git_server import GitServer
from tests.support.live import Install, Person
from tests.support.scripted_agent import running

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
    (install.paths.config / "policy/pushes.cedar").write_text(
        '@id("ana/own-branches")\npermit (principal, action == Action::"push", resource)\n'
        'when { context.ref like "agent/*" && !context.force && !context.foreign };\n'
    )
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
        # More than git sends in one piece: it asks first, then sends chunks.
        "head -c 3000000 /dev/urandom > large; git add large; "
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


def test_a_push_is_asked_about_once_and_one_by_force_is_refused_on_the_wire(
    install: Install, server: GitServer
) -> None:
    with Person(install) as person, running(install) as agent:
        person.answers("cd app && git push origin topic", approve=True)
        # Of a command that cannot be read beforehand, each use is asked about.
        person.answers("GET ", approve=True)
        person.answers("POST ", approve=True)
        setup = (
            f"git clone -q {server.url('ana/app')} app && cd app && git checkout -q -b topic && "
            "git config user.name Ana && git config user.email a@b.example && "
            "git commit -q --allow-empty -m more"
        )
        code, output = agent.finish(agent.begin(setup))
        assert code == 0, output
        code, output = agent.finish(agent.begin("cd app && git push origin topic"))
        assert code == 0, output
        first = server.tip("ana/app", "refs/heads/topic")
        asked = [record["title"] for record in install.records("approval.asked")]
        assert [title for title in asked if "push" in title] == ["cd app && git push origin topic"]
        (use,) = [r for r in install.records("use.intent") if r.get("further")]
        assert use["further"] == ["push origin topic"]
        # The next commit only adds to it, which the commits themselves prove.
        code, output = agent.finish(agent.begin("cd app && git commit -q --allow-empty -m next"))
        assert code == 0, output
        code, output = agent.finish(agent.begin("cd app && git push origin topic"))
        assert code == 0, output
        asked = [record["title"] for record in install.records("approval.asked")]
        assert asked == ["cd app && git push origin topic"] * 2
        first = server.tip("ana/app", "refs/heads/topic")
        # A ref that the person's own rule allows is not asked about at all.
        code, output = agent.finish(agent.begin("cd app && git push origin topic:agent/one"))
        assert code == 0, output
        assert server.tip("ana/app", "refs/heads/agent/one") == first
        assert len(install.records("approval.asked")) == len(asked)
        (agent.folder / "words").write_text("push -f origin other:main")
        # What a command that looks harmless pushes is judged by what the wire says.
        hidden = "cd app && git checkout -q --orphan other && git commit -qm other"
        code, output = agent.finish(agent.begin(f"{hidden} && git $(cat ../words)"))
        assert code != 0
        assert "protected branch" in output + str(install.records("use.denied"))
    assert server.tip("ana/app", "refs/heads/topic") == first
    assert server.tip("ana/app", "refs/heads/main") != first


def test_what_git_was_given_opens_nothing_else(install: Install, server: GitServer) -> None:
    server.make("ana/lib")
    script = (
        f"told() {{ printf 'protocol=https\\nhost={server.host}\\npath=ana/app.git\\n\\n' | "
        "git credential fill | sed -n s/password=//p; }; "
        f"ask() {{ curl -s -m 10 -u x:$(told) https://{server.host}/ana/$1.git/info/refs"
        "?service=git-upload-pack | head -c 300 | tr -d '\\000'; echo; }; "
        "ask app; ask lib; told"
    )
    done = install.cli("run", "--headless", "--", "bash", "-c", script)
    opened, _, rest = done.stdout.partition("\n{")
    assert "# service=git-upload-pack" in opened, done
    assert f"was given for {server.host}/ana/app and one call" in rest
    stand_in = done.stdout.split()[-1]
    assert stand_in.startswith("ghp_")
    # In another task it is nothing at all.
    again = install.cli(
        "run", "--headless", "--", "curl", "-s", "-u", f"x:{stand_in}",
        f"https://{server.host}/ana/app.git/info/refs?service=git-upload-pack",
    )  # fmt: skip
    assert "# service" not in again.stdout
    assert [password for password, _ in server.seen if password == TOKEN] == [TOKEN]


def test_what_git_cannot_ask_for_is_refused_in_words(install: Install, server: GitServer) -> None:
    """Another host, malformed questions, SSH: one sentence each, and a record."""
    script = (
        "ask() { bash $(git config --get-all credential.helper | tail -1 | cut -c2-) get; }; "
        "printf 'protocol=https\\nhost=elsewhere.example\\npath=a/b\\n' | ask; "
        "printf 'protocol=http\\nhost=localhost\\npath=a/b\\n' | ask; "
        "printf 'protocol=https\\nhost=a\\r\\n' | ask; "
        "head -c 40000 /dev/zero | tr '\\0' a | ask; "
        "git ls-remote git@code.example:a/b || true"
    )
    done = install.cli("run", "--headless", "--", "bash", "-c", script)
    assert done.stdout.count("quit=1") == 4, done
    assert "password" not in done.stdout
    for words in (
        "There is no credential for elsewhere.example.",
        "No credential is given for http://localhost",
        "The credential question is malformed",
        "The credential question is longer than",
        "git over SSH is refused",
    ):
        assert done.stderr.count(words) == 1, words
    assert len(install.records("incident.malformed_credential_request")) == 2
    assert server.seen == []
