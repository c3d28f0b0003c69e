"""A task on an overlay: its workspace stays as it is until a person applies what it changed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.live import TASKPASS, Install, ended, wait_for

WORK = """
set -e
echo new > edited; rm gone; mkdir -p src/deep; echo hello > src/deep/file
mv folder moved; chmod 755 script; ln -s edited link; echo secret-free > "a name, with: commas"
[ "$(cat edited)" = new ]; [ ! -e gone ]; [ -e moved/inner ]
"""


def _start(install: Install) -> None:
    for name in ("edited", "gone", "script"):
        (install.project / name).write_text("old\n")
    (install.project / "folder").mkdir()
    (install.project / "folder/inner").write_text("inner\n")


def _tree(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".git" not in path.parts
    }


def _run(install: Install, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    return install.cli("run", "--headless", "--overlay", *options, "--", "sh", "-c", script)


def _waiting(install: Install, script: str) -> subprocess.Popen[str]:
    """A task that runs until its input ends."""
    return subprocess.Popen(
        [*TASKPASS, "run", "--headless", "--overlay", "--", "sh", "-c", f"{script}; cat"],
        cwd=install.project,
        env=install.environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )


def _let_end(task: subprocess.Popen[str]) -> None:
    assert task.stdin is not None
    task.stdin.close()
    task.wait(30)


def _kept(install: Install) -> str:
    """The digest of what was kept, once it is on record."""
    return str(wait_for(lambda: install.records("changes.kept"), "the changes")[0]["digest"])


def test_the_workspace_is_as_it_was_until_the_changes_are_applied(install: Install) -> None:
    _start(install)
    before = _tree(install.project)
    done = _run(install, WORK)
    assert done.returncode == 0, done.stderr
    assert "the workspace is as it was; what the task changed: taskpass changes t-" in done.stderr
    assert _tree(install.project) == before
    digest = _kept(install)
    listed = install.cli("changes").stdout
    for line in ("  M  edited", "  D  gone", "  D  folder/", "  A  moved/", "  A  moved/inner",
                 "  M  script   mode 644 is 755", "  A  link", "  A  src/deep/file",
                 "  A  a name, with: commas"):  # fmt: skip
        assert line in listed.splitlines(), listed
    diff = install.cli("changes", "--diff").stdout
    assert "--- a/edited\n+++ b/edited\n@@ -1 +1 @@\n-old\n+new\n" in diff
    assert _tree(install.project) == before
    applied = install.cli("changes", "apply")
    assert applied.returncode == 0, applied.stderr
    assert _tree(install.project) == {
        "a name, with: commas": "secret-free\n",
        "edited": "new\n",
        "moved/inner": "inner\n",
        "script": "old\n",
        "src/deep/file": "hello\n",
    }
    assert os.readlink(install.project / "link") == "edited"
    (record,) = install.records("changes.applied")
    assert record["digest"] == digest
    assert (record["deleted"], record["left"]) == (2, 0)
    assert install.cli("changes").stdout.startswith("No changes to review.")
    assert not list((install.paths.state / "changes").iterdir())


def test_dropped_changes_are_gone_and_on_record(install: Install) -> None:
    _start(install)
    before = _tree(install.project)
    assert _run(install, WORK).returncode == 0
    digest = _kept(install)
    unsure = install.cli("changes", "drop")
    assert unsure.returncode == 2
    assert "--yes" in unsure.stderr
    dropped = install.cli("changes", "drop", "1", "--yes")
    assert dropped.returncode == 0, dropped.stderr
    assert _tree(install.project) == before
    assert install.records("changes.dropped")[0]["digest"] == digest
    assert install.cli("changes", "apply").returncode == 1


def test_what_runs_by_itself_is_not_applied_unseen(install: Install) -> None:
    subprocess.run(["git", "init", "-q", install.project], check=True)
    done = _run(install, "mkdir -p .vscode .husky; echo {} > .vscode/tasks.json; echo ok > plain")
    assert done.returncode == 0, done.stderr
    _kept(install)
    refused = install.cli("changes", "apply")
    assert refused.returncode == 3
    assert ".vscode/tasks.json runs without being called" in refused.stderr
    assert not (install.project / "plain").exists()
    assert install.cli("changes", "apply", "plain").returncode == 0
    assert (install.project / "plain").read_text() == "ok\n"
    assert install.cli("changes", "apply", "--risky").returncode == 0
    assert (install.project / ".vscode/tasks.json").read_text() == "{}\n"


def test_a_conflict_is_told_and_nothing_is_lost(install: Install) -> None:
    _start(install)
    task = _waiting(install, "echo task > other; echo task > edited")
    wait_for(lambda: "edited" in _upper(install), "the task to have written")
    running = install.cli("changes", "apply")
    assert running.returncode == 3
    assert "still works on its changes" in running.stderr
    (install.project / "edited").write_text("person\n")
    _let_end(task)
    _kept(install)
    refused = install.cli("changes", "apply")
    assert refused.returncode == 3
    assert "edited changed in the real workspace meanwhile" in refused.stderr
    assert (install.project / "edited").read_text() == "person\n"
    assert not (install.project / "other").exists()


def _upper(install: Install) -> list[str]:
    return [path.name for path in (install.paths.state / "changes").glob("t-*/upper/*")]


def test_changes_outlive_the_supervisor(install: Install) -> None:
    assert _run(install, "echo kept > file").returncode == 0
    _kept(install)
    pid = install.daemon_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: ended(pid), "the supervisor to end")
    sets = json.loads(install.cli("changes", "--json").stdout)["sets"]
    assert [change["path"] for change in sets[0]["changes"]] == ["file"]
    assert install.cli("changes", "apply", sets[0]["task"]).returncode == 0
    assert (install.project / "file").read_text() == "kept\n"


def test_a_task_that_ends_while_no_supervisor_runs_leaves_its_changes(install: Install) -> None:
    task = _waiting(install, "echo kept > file")
    wait_for(lambda: "file" in _upper(install), "the task to have written")
    pid = install.daemon_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: ended(pid), "the supervisor to end")
    _let_end(task)
    assert "  A  file" in install.cli("changes").stdout
    wait_for(lambda: install.records("changes.kept"), "the changes to be on record")


def test_a_revoked_task_leaves_its_changes_to_be_seen(install: Install) -> None:
    task = install.popen(
        "run", "--headless", "--overlay", "--", "sh", "-c", "echo x > file; sleep 300"
    )
    wait_for(lambda: "file" in _upper(install), "the task to have written")
    assert install.cli("revoke", "1").returncode == 0
    assert task.wait(30) != 0
    _kept(install)
    assert "  A  file" in install.cli("changes").stdout
    assert not (install.project / "file").exists()


def test_a_project_may_ask_for_it(install: Install) -> None:
    (install.project / "taskpass.toml").write_text("[containment]\noverlay = true\n")
    done = install.cli("run", "--headless", "--", "sh", "-c", "echo x > file")
    assert done.returncode == 0, done.stderr
    assert install.records("task.started")[0]["overlay"] is True
    assert not (install.project / "file").exists()
    refused = install.cli("run", "--headless", "--contain", "off", "--", "touch", "ran")
    assert refused.returncode == 125
    assert "needs containment of tier A" in refused.stderr
    assert not (install.project / "ran").exists()


def test_a_task_that_changes_nothing_leaves_nothing(install: Install) -> None:
    (install.project / "file").write_text("x")
    assert _run(install, "cat file >/dev/null; touch -c file; echo y > z; rm z").returncode == 0
    wait_for(lambda: install.records("task.ended"), "the end")
    wait_for(lambda: not list((install.paths.state / "changes").iterdir()), "nothing to be left")
    assert install.cli("changes").stdout.startswith("No changes to review.")


def test_git_works_on_an_overlay_and_its_commits_can_be_applied(install: Install) -> None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(install.project), "-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run([*command, *words], check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    (install.project / "a").write_text("one\n")
    git("add", ".")
    git("commit", "-qm", "first")
    script = (
        "export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t"
        "; echo two > a && git add a && git commit -qm second && git gc -q && git status"
    )
    done = _run(install, script)
    assert done.returncode == 0, done.stderr
    assert "second" not in git("log", "--oneline")
    _kept(install)
    assert install.cli("changes", "apply").returncode == 0
    assert [line.split()[1] for line in git("log", "--oneline").splitlines()] == ["second", "first"]
    assert git("status", "--porcelain") == ""
    git("fsck", "--strict")


def test_a_linked_work_tree_is_refused_since_its_repository_lies_elsewhere(
    install: Install,
) -> None:
    git = ["git", "-C", str(install.project), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    linked = install.home / "linked"
    subprocess.run([*git, "worktree", "add", "-q", str(linked)], check=True, capture_output=True)
    done = subprocess.run(
        [*TASKPASS, "run", "--headless", "--overlay", "--", "touch", "ran"],
        cwd=linked, env=install.environ, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 125
    assert "which an overlay does not cover" in done.stderr
    assert not (linked / "ran").exists()
    assert not (install.paths.state / "changes").exists()


@pytest.mark.parametrize("words", [["changes", "x"], ["changes", "apply", "x"]])
def test_where_there_is_none_it_is_said(install: Install, words: list[str]) -> None:
    done = install.cli(*words)
    assert done.returncode == 1
    assert "There are no changes of task x" in done.stderr
