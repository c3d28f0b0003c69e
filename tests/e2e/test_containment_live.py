"""What a contained task finds in its workspace, and what a person can say about it."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.live import TASKPASS, Install, wait_for

pytest_plugins = ("tests.support.live",)


@pytest.fixture
def project(install: Install) -> Path:
    """A repository with a secret that git does not track."""
    root = install.project
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".gitignore").write_text(".env\n")
    (root / ".env").write_text("SECRET=hunter2-the-real-one\n")
    return root


def run(install: Install, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return install.cli("run", "--headless", *options, "--", "sh", "-c", script)


def status(root: Path) -> str:
    return subprocess.run(
        ["git", "-C", root, "status", "--porcelain"], check=True, capture_output=True, text=True
    ).stdout


def test_settings_of_agents_cannot_be_made_and_nothing_of_it_is_left(
    install: Install, project: Path
) -> None:
    before = sorted(path.name for path in project.iterdir())
    script = """
        exec 2>/dev/null
        mkdir -p .claude && echo '{}' > .claude/settings.json && echo made claude
        echo '{}' > .mcp.json && echo made mcp
        mv .claude old && echo moved
        rm -rf .claude .codex; [ -d .claude ] || echo removed
        echo x > .git/hooks/pre-commit && echo made hook
        git config core.hooksPath /tmp/x && echo made config
        mv .git moved && echo moved git
        git status --porcelain
        echo work > file && git add file && echo added
    """
    assert run(install, script).stdout.split("\n") == ["?? .gitignore", "added", ""]
    assert sorted(path.name for path in project.iterdir()) == sorted([*before, "file"])
    assert status(project) == "A  file\n?? .gitignore\n"


def test_a_placeholder_stays_as_long_as_a_task_needs_it(install: Install, project: Path) -> None:
    first = install.popen("run", "--headless", "--", "sh", "-c", "until [ -e go1 ]; do :; done")
    wait_for((project / ".claude").exists, "the first task")
    second = install.popen(
        "run", "--headless", "--", "sh", "-c", "until [ -e go2 ]; do :; done; mkdir .claude/x"
    )
    wait_for(lambda: len(install.records("task.started")) == 2, "the second task")
    (project / "go1").touch()
    assert first.wait(30) == 0
    wait_for(lambda: len(install.records("task.ended")) == 1, "the first task's end")
    assert (project / ".claude").is_dir()
    (project / "go2").touch()
    assert second.wait(30) != 0, "what the first task left is guarded in the second"
    assert not (project / ".claude").exists()


def test_a_dotenv_is_masked_unless_the_person_shows_it(install: Install, project: Path) -> None:
    hidden = run(install, "cat .env; echo more >> .env || echo kept")
    assert "hunter2" not in hidden.stdout
    assert "ask the person to start it with --show" in hidden.stdout
    assert hidden.stdout.endswith("kept\n")
    assert "hunter2" in run(install, "cat .env", "--show", ".env").stdout
    install.configure('[containment]\nshow = [".env"]\n')
    install.stop()
    assert "hunter2" in run(install, "cat .env").stdout
    strict = run(install, "cat .env", "--contain", "strict")
    assert "hunter2" not in strict.stdout


def test_what_git_tracks_is_no_secret_but_in_strict(install: Install, project: Path) -> None:
    subprocess.run(["git", "-C", project, "add", "-f", ".env"], check=True)
    script = "cat .env; git status --porcelain .env"
    assert "hunter2" in run(install, script).stdout
    assert "hunter2" not in run(install, script, "--contain", "strict").stdout


def test_paths_outside_are_let_in_one_by_one(install: Install, project: Path) -> None:
    shown, written = install.home / "notes", install.home / "cache"
    for folder in (shown, written):
        folder.mkdir()
        (folder / "file").write_text("in here")
    script = f"cat {shown}/file {written}/file; touch {shown}/x {written}/x"
    assert "in here" not in run(install, script).stdout
    result = run(install, script, "--show", str(shown), "--write", str(written))
    assert result.stdout == "in herein here"
    assert sorted(path.name for path in written.iterdir()) == ["file", "x"]
    assert sorted(path.name for path in shown.iterdir()) == ["file"]
    missing = run(install, "true", "--show", "/no/such/place")
    assert (missing.returncode, "does not exist" in missing.stderr) == (125, True)
    home = run(install, "true", "--write", str(install.home))
    assert (home.returncode, "your whole home" in home.stderr) == (125, True)


def test_a_guarded_file_is_written_when_the_person_says_so(install: Install, project: Path) -> None:
    script = "mkdir .claude/commands && echo made"
    assert run(install, script).stdout == ""
    (project / ".claude").mkdir()
    assert run(install, script, "--write", ".claude").stdout == "made\n"
    assert (project / ".claude/commands").is_dir()


def test_a_project_keeps_its_own_from_every_task(install: Install, project: Path) -> None:
    (project / "secrets").mkdir()
    (project / "secrets/key").write_text("the-key")
    (project / "taskpass.toml").write_text(
        '[containment]\nmode = "standard"\ndeny_read = ["secrets/**"]\n'
    )
    script = "cat secrets/key secrets/README"
    result = run(install, script, "--contain", "off", "--show", "secrets")
    assert "the-key" not in result.stdout, "the project's word counts"
    assert "taskpass keeps this" in result.stdout


def test_the_plan_is_known_by_its_digest(install: Install, project: Path) -> None:
    run(install, "true")
    run(install, "true")
    run(install, "true", "--show", ".env")
    first, same, other = install.records("task.started")
    assert first["sandbox_profile"] == same["sandbox_profile"] != other["sandbox_profile"]
    assert first["sandbox_profile"].startswith("sha256:")
    assert [record["containment"] for record in (first, same, other)] == ["standard"] * 3


def test_linked_work_trees_commit_and_their_repository_is_guarded(
    install: Install, project: Path
) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "-C", project, "commit", "-q", "--allow-empty", "-m", "1"], check=True)
    tree = install.home / "tree"
    subprocess.run([*git, "-C", project, "worktree", "add", "-q", tree], check=True)
    common = project / ".git"
    script = f"""
        exec 2>/dev/null
        {" ".join(git)} commit -q --allow-empty -m 2 && echo committed
        echo x > {common}/hooks/pre-commit && echo hook
        echo x >> {common}/config && echo config
        echo 'gitdir: /tmp' > .git && echo pointer
        ls {project}
    """
    result = subprocess.run(
        [*TASKPASS, "run", "--headless", "--", "sh", "-c", script],
        cwd=tree, env=install.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert result.stdout == "committed\n", result.stderr


@pytest.fixture
def bus(install: Install) -> Iterator[Path]:
    """A socket of the person's session that answers whoever connects."""
    path = install.root / "run/bus"
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def answer() -> None:
        with suppress(OSError):
            while True:
                server.accept()[0].sendall(b"hello from the bus")

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    yield path
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(10)


def test_the_bus_is_absent_unless_the_person_lets_it_in(
    install: Install, project: Path, bus: Path
) -> None:
    install.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
    talk = (
        "import os, socket; print(os.environ.get('DBUS_SESSION_BUS_ADDRESS')); "
        f"s = socket.socket(socket.AF_UNIX); s.connect('{bus}'); print(s.recv(99).decode())"
    )
    command = ("run", "--headless", "--", "/usr/bin/python3", "-c", talk)
    without = install.cli(*command)
    assert without.stdout == "None\n"
    assert "No such file" in without.stderr
    install.configure("[containment]\ndbus = true\n")
    install.stop()
    assert install.cli(*command).stdout == f"unix:path={bus}\nhello from the bus\n"


def test_strict_is_refused_where_nothing_contains(install: Install, project: Path) -> None:
    install.configure('[containment]\ntier = "uncontained"\n')
    result = run(install, "true", "--contain", "strict")
    assert result.returncode == 125
    assert "Nothing contains a task here, and strict is asked for" in result.stderr
    assert "uncontained" in run(install, "true").stderr


def test_a_guard_that_somebody_outside_took_away_is_on_record(
    install: Install, project: Path
) -> None:
    waiting = install.popen("run", "--headless", "--", "sh", "-c", "until [ -e go ]; do :; done")
    wait_for((project / ".claude").exists, "the task")
    wait_for(lambda: install.records("task.started"), "the task's record")
    # The person works in the repository: git puts a new file into the place of the guarded one.
    subprocess.run(["git", "-C", project, "config", "user.name", "Ana"], check=True)
    (project / "go").touch()
    assert waiting.wait(30) == 0
    (incident,) = install.records("incident.guarded_changed")
    assert incident["detail"] == {"paths": [str(project / ".git/config")]}


def test_two_strict_tasks_run_in_one_workspace(install: Install, project: Path) -> None:
    first = install.popen(
        "run", "--headless", "--contain", "strict", "--", "sh", "-c", "until [ -e go ]; do :; done"
    )
    wait_for((project / ".vscode").exists, "the first task")
    second = run(install, "touch go; ls", "--contain", "strict")
    assert (second.returncode, second.stdout) == (0, "go\n")
    assert first.wait(30) == 0
    assert sorted(path.name for path in project.iterdir()) == [".env", ".git", ".gitignore", "go"]


def test_a_task_in_a_part_of_the_repository_renames_across_it(
    install: Install, project: Path
) -> None:
    part = project / "part"
    part.mkdir()
    (part / "file").write_text("x")
    subprocess.run(["git", "-C", project, "add", "part/file"], check=True)
    script = "git mv file ../moved && mkdir .claude/x; ls -A"
    result = subprocess.run(
        [*TASKPASS, "run", "--headless", "--", "sh", "-c", script],
        cwd=part, env=install.environ, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (project / "moved").exists(), result.stderr
    assert ".claude" in result.stdout.split(), "settings are kept where the task started, too"
    assert list(part.iterdir()) == []
