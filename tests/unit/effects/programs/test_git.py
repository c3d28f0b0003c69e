"""What git commands do, in repositories with remotes, branches and aliases of their own."""

from __future__ import annotations

import pytest

from supervisor.effects.files import Place
from supervisor.effects.programs.repository import find_repository
from supervisor.effects.shell import shell_effects
from supervisor.model import Verb

CONFIG = """\
[core]
\tbare = false
[remote "origin"]
\turl = git@example.com:team/app.git ; the team's
\tfetch = +refs/heads/*:refs/remotes/origin/*
[remote "mine"]
\turl = https://ana:secret@example.com/ana/app.git
\tpushurl = "https://example.com/ana/other.git"
[branch "topic"]
\tremote = mine
\tmerge = refs/heads/theirs
[alias]
\tst = status --short
\twipe = "!rm -rf build # all"
"""


@pytest.fixture
def workspace(tmp_path):
    root = tmp_path / "w"
    git = root / ".git"
    (git / "refs" / "remotes" / "origin").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/topic\n")
    (git / "config").write_text(CONFIG)
    (git / "refs" / "remotes" / "origin" / "HEAD").write_text("ref: refs/remotes/origin/next\n")
    return root


@pytest.fixture
def effects(workspace, tmp_path):
    def found(command: str):
        return shell_effects(command, str(workspace), Place.of(str(workspace), str(tmp_path)))

    return found


@pytest.fixture
def pushes(effects):
    def found(command: str):
        return [effect.attributes for effect in effects(command) if effect.verb is Verb.PUSH]

    return found


def runs(effects):
    return [effect.attributes for effect in effects if effect.verb is Verb.RUN]


# ── Push ────────────────────────────────────────────────────────────────────────────────


def test_push_without_words_goes_to_the_branch_and_remote_of_the_repository(pushes):
    (push,) = pushes("git push")
    assert (push["remote"], push["ref"], push["url"]) == (
        "mine",
        "topic",
        "https://example.com/ana/other.git",
    )
    assert not (push["force"])
    assert not (push["delete"])
    assert not (push["protected"])
    assert not (push["foreign"])


def test_the_branch_follows_a_switch_in_the_same_call(pushes):
    (push,) = pushes("git switch main && git merge topic && git push origin HEAD")
    assert (push["ref"], push["protected"]) == ("main", True)


@pytest.mark.parametrize(
    ("command", "ref", "force", "delete"),
    [
        ("git push origin HEAD:main", "main", False, False),
        ("git push origin +topic:release/1", "release/1", True, False),
        ("git push -f origin master", "master", True, False),
        ("git push origin :main", "main", False, True),
        ("git push --delete origin main", "main", False, True),
        ("git push --force-with-lease=main origin main", "main", True, False),
        ("git push origin refs/heads/main", "main", False, False),
        ("git push origin v2.4.0rc1", "v2.4.0rc1", False, False),
        ("git push origin next", "next", False, False),  # what the remote's HEAD names
    ],
)
def test_refs_that_others_build_on_are_protected(pushes, command, ref, force, delete):
    (push,) = pushes(command)
    assert push["protected"]
    assert (push["ref"], push["force"], push["delete"]) == (ref, force, delete)


@pytest.mark.parametrize("option", ["--all", "--mirror", "--tags", "--branches"])
def test_a_push_of_many_refs_says_so(pushes, option):
    (push,) = pushes(f"git push {option} origin")
    assert push["several"]
    assert push["protected"]
    assert push["force"] == push["delete"] == (option == "--mirror")


def test_a_remote_that_was_not_there_before_is_foreign(pushes):
    assert pushes("git push https://other.example/x.git topic")[0]["foreign"]
    assert pushes("git push git@other.example:x.git topic")[0]["foreign"]
    assert pushes("git push nowhere topic")[0]["foreign"]
    assert pushes("git remote add m https://other.example/x && git push m topic")[0]["foreign"]
    moved = "git remote set-url origin https://other.example/x && git push origin topic"
    assert pushes(moved)[0]["foreign"]
    configured = "git config remote.origin.url https://other.example/x; git push origin topic"
    assert pushes(configured)[0]["foreign"]
    assert not pushes("git push origin topic")[0]["foreign"]
    assert not pushes("git push git@example.com:team/app.git topic")[0]["foreign"]


def test_a_password_in_a_url_is_not_repeated(pushes):
    push = pushes("git push https://ana:secret@other.example/x.git topic")[0]
    assert "secret" not in push["url"]


def test_a_refspec_that_is_only_known_later_is_not_inspectable(effects):
    assert any(run["uninspectable"] for run in runs(effects('git push origin "HEAD:$(cat x)"')))


def test_a_rehearsal_pushes_nothing(pushes):
    assert pushes("git push --dry-run origin main") == []


# ── Work that can be lost ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "command",
    [
        "git checkout .",
        "git checkout -- .",
        "git checkout HEAD~1 -- :/",
        "git checkout -f main",
        "git restore .",
        "git restore --staged --worktree .",
        "git reset --hard",
        "git -C . reset -q --hard HEAD~2",
        "git clean -fdx",
        "git stash clear",
        "git branch -D topic",
        "git reflog expire --expire=now --all",
        "git gc --prune=now",
        "git switch --discard-changes main",
    ],
)
def test_what_throws_work_away_says_so(effects, command):
    assert runs(effects(command))[0]["act"] == "discard"


@pytest.mark.parametrize(
    "command",
    [
        "git checkout main",
        "git checkout -b topic2 origin/main",
        "git restore --staged .",
        "git reset --soft HEAD~1",
        "git clean -ndX",
        "git branch -d topic",
        "git stash",
        "git gc",
        "git rebase --autostash origin/main",
    ],
)
def test_what_loses_nothing_is_ordinary(effects, command):
    found = effects(command)
    assert [run["act"] for run in runs(found)] == [""]
    assert not runs(found)[0]["uninspectable"]
    assert all(effect.verb is not Verb.DELETE for effect in found)


def test_files_that_are_checked_out_are_replaced(effects, workspace):
    (workspace / "Cargo.lock").write_text("")
    for command in (
        "git checkout -- Cargo.lock",
        "git restore Cargo.lock",
        "git checkout Cargo.lock",
    ):
        deleted = [effect for effect in effects(command) if effect.verb is Verb.DELETE]
        assert [effect.resource for effect in deleted] == [str(workspace / "Cargo.lock")]
        assert deleted[0].attributes["clear"] is True


# ── Settings, aliases, helpers ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "command",
    [
        "git config core.hooksPath hooks",
        "git config alias.x '!id'",
        "git config --local core.sshCommand ./x",
        "git config set filter.x.clean id",
        "git config --add url.https://x.example/.insteadOf https://example.com/",
        "git config credential.helper store",
        "git config http.proxy http://x.example",
        "git -c core.fsmonitor=./x status",
        "git -c diff.external=./x diff",
        "git clone -c core.fsmonitor=./x https://example.com/r",
        "git remote set-url origin https://other.example/x",
    ],
)
def test_settings_that_run_or_redirect_something_are_told(effects, command):
    assert runs(effects(command))[0]["act"] == "settings"


@pytest.mark.parametrize(
    "command",
    [
        "git config user.email ana@example.com",
        "git config --get-regexp '^user'",
        "git config core.pager",
        "git -c core.pager=cat log",
        "git -c color.ui=always diff",
    ],
)
def test_settings_that_change_nothing_of_weight_are_ordinary(effects, command):
    (run,) = runs(effects(command))
    assert (run["act"], run["uninspectable"]) == ("", False)


def test_a_header_with_a_token_is_not_read_out(effects):
    (run,) = runs(effects("git config --get http.https://example.com/.extraheader"))
    assert run["act"] == "reveal"


def test_an_alias_is_followed(effects, workspace):
    assert [run["subcommand"] for run in runs(effects("git st"))][-1] == "status"
    deleted = [effect for effect in effects("git wipe") if effect.verb is Verb.DELETE]
    assert [effect.resource for effect in deleted] == [str(workspace / "build")]
    (unknown,) = runs(effects("git no-such-thing"))
    assert unknown["uninspectable"] or not unknown["known"]


@pytest.mark.parametrize(
    "command",
    [
        "git fetch 'ext::sh -c id'",
        "git clone ext::x d",
        "git remote add x ext::x",
        "git --exec-path=/tmp/x status",
        "git grep -O./x word",
        "git rebase -x './x y' main",
        "git bisect run ./x",
        "git difftool -x ./x",
        "git submodule foreach ./x",
    ],
)
def test_programs_that_git_would_run_do_not_pass_unseen(effects, command):
    found = runs(effects(command))
    assert len(found) > 1 or found[0]["uninspectable"]


def test_a_shortened_option_is_not_overlooked(effects):
    (run,) = runs(effects("git log --outpu=/etc/x"))
    assert run["uninspectable"] or not run["known"]


def test_diff_reads_files_outside_the_repository(effects):
    reads = [e.resource for e in effects("git diff /dev/null /etc/shadow") if e.verb is Verb.READ]
    assert reads == ["/etc/shadow"]


# ── Repository files ────────────────────────────────────────────────────────────────────


def test_a_worktree_shares_the_settings_of_its_repository(workspace, tmp_path):
    linked = workspace / ".git" / "worktrees" / "other"
    linked.mkdir(parents=True)
    (linked / "HEAD").write_text("ref: refs/heads/other\n")
    (linked / "commondir").write_text("../..\n")
    other = tmp_path / "other"
    (other / "sub").mkdir(parents=True)
    (other / ".git").write_text(f"gitdir: {linked}\n")
    repository = find_repository(str(other / "sub"))
    assert repository is not None
    assert (repository.branch, repository.push_url("origin")) == (
        "other",
        "git@example.com:team/app.git",
    )
    assert repository.remotes == {"origin", "mine"}


def test_no_repository_and_strange_files_are_borne(tmp_path):
    assert find_repository("") is None
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_bytes(b'\xff[remote\n = \n[x "\n')
    repository = find_repository(str(tmp_path))
    assert repository is not None
    assert repository.branch == ""
    assert not repository.remotes
