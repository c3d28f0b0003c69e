"""The class of a path, as policy is told it."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.effects.files import Place, file_effects
from supervisor.model import Outcome, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator

PLACE = Place("/work/project", "/home/ana")


def label(path: str) -> str:
    return str(file_effects(Verb.READ, path, PLACE.workspace, PLACE)[0].attributes["label"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/main.py", ""),
        (".env", "dotenv"),
        (".ENV", "dotenv"),
        ("apps/web/.env.production", "dotenv"),
        (".env.example", ""),
        (".env.d/../.env", "dotenv"),
        ("/home/ana/.ssh", "keys"),
        ("/home/ana/.ssh/config", "keys"),
        ("/home/ana/.sshx", ""),
        ("/home/ana/.npmrc", "keys"),
        (".npmrc", "executes"),
        ("deploy/id_ed25519", "keys"),
        ("deploy/id_ed25519.pub", ""),
        ("/etc/shadow", "keys"),
        ("/home/ana/.claude/.credentials.json", "model-login"),
        ("/home/ana/.claude/projects/x", "cache"),
        (".claude/settings.local.json", "agent-settings"),
        (".mcp.json", "agent-settings"),
        ("taskpass.toml", "policy"),
        (".git/hooks/pre-commit", "git-hooks"),
        (".husky/pre-push", "git-hooks"),
        (".git/config", "git-config"),
        (".git/HEAD", ""),
        ("/home/ana/.config/git/config", "git-config"),
        ("/home/ana/.bashrc", "startup"),
        ("/etc/cron.d/x", "startup"),
        ("/etc/hosts", "system"),
        ("/usr/lib/x.so", "system"),
        (".github/workflows/ci.yml", "ci"),
        (".cargo/config.toml", "executes"),
        ("venv/lib/hook.pth", "executes"),
        ("/proc/self/environ", "process"),
        ("/proc/12/task/13/mem", "process"),
        ("/proc/cpuinfo", "system"),
        ("/run/docker.sock", "socket"),
        ("/dev/sda1", "device"),
        ("/dev/shm/x", ""),
        ("/srv/data", ""),
    ],
)
def test_a_path_has_its_class(path: str, expected: str) -> None:
    assert label(path) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/home/ana/.ss?/*", "keys"),
        (".e*", True),
        (".en[uv]", True),
        (".g?t/hooks/*", "git-hooks"),
        ("/home/ana/id_*", "keys"),
        ("i*", ""),
        ("*", ""),
        ("*.json", ""),
        ("src/**/*.py", ""),
        ("app/[slug]/page.tsx", ""),
        ("build/*", ""),
    ],
)
def test_wildcards_have_the_class_of_the_hidden_names_they_may_match(
    pattern: str, expected: str | bool
) -> None:
    found = label(pattern)
    assert found == expected if isinstance(expected, str) else found != ""


def test_a_link_has_the_class_of_what_it_points_to_and_of_its_own_name(tmp_path: Path) -> None:
    place = Place(str(tmp_path), "/home/ana")
    (tmp_path / "notes").symlink_to("/etc/shadow")
    (tmp_path / ".env").symlink_to(tmp_path / "plain")
    for name, expected in (("notes", "keys"), (".env", "dotenv")):
        labels = {
            effect.attributes["label"]
            for effect in file_effects(Verb.READ, name, str(tmp_path), place)
        }
        assert expected in labels


def test_the_temporary_directory_itself_is_nobodys_to_remove(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "ws"), "/home/ana")

    def temporary(verb: Verb, path: str) -> object:
        (effect,) = file_effects(verb, path, "/", place)
        return effect.attributes["temporary"]

    assert temporary(Verb.DELETE, "/tmp/build") is True
    assert temporary(Verb.DELETE, "/tmp") is False
    assert temporary(Verb.READ, "/tmp") is True


def test_what_a_pattern_finds_in_the_temporary_directory_is_not_the_tasks(tmp_path: Path) -> None:
    judge = Evaluator(CedarEngine.load(), True, str(tmp_path / "ws"), str(tmp_path / "home"))

    def decision(command: str) -> Outcome:
        return judge.evaluate({"command": command}).decision

    for command in (
        "rm -rf /tmp/*", "rm -rf /tmp/{*,.*}", "cd /tmp && rm -rf *", "rm -f /var/tmp/?*",
        "rm /tmp/*.log", "find /tmp -type f -delete", "find /tmp -mtime +1 -exec rm {} +",
        "rm -rf /tmp/*/cache", "rm -rf /tmp/[a-z]*", "rm -rf /tmp/.[!.]*",
        "cd /tmp; ls | xargs rm -rf",
    ):  # fmt: skip
        # Asked about; refused where a multiplexer's socket lies there just now.
        assert decision(command) is not Outcome.ALLOW, command
    for command in (
        "rm -rf /tmp/build-*", "rm -rf /tmp/build/*", "find /tmp/build -delete", "cat /tmp/*.log",
        "touch /tmp/x; rm /tmp/x", "rm -rf /tmp/pytest-of-ana /tmp/b",
    ):  # fmt: skip
        assert decision(command) is Outcome.ALLOW, command


def test_a_home_below_the_temporary_directory_is_a_home(tmp_path: Path) -> None:
    place = Place(str(tmp_path / "work"), str(tmp_path / "home"))
    (effect,) = file_effects(Verb.READ, str(tmp_path / "home" / "notes"), "/", place)
    assert (effect.attributes["home"], effect.attributes["temporary"]) == (True, False)
