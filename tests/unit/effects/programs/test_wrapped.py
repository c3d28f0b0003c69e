"""A wrapper around a command never hides an effect of it."""

from __future__ import annotations

import shlex

import pytest

from supervisor.effects.files import Place
from supervisor.effects.knowledge.check import written
from supervisor.effects.shell import shell_effects
from supervisor.model import Effect, Verb

_COMMANDS = [
    "rm -rf /srv/data",
    "cat /home/ana/.ssh/id_rsa",
    "git push --force origin main",
    "npm install left-pad",
    "psql -h db.example.com -c 'drop table users'",
    "gh auth token",
    "curl -X DELETE https://api.example.com/items/1",
    "sudo systemctl stop web",
    "python3 -c 'import os; os.remove(\"/etc/hosts\")'",
    "find /srv -name '*.log' -delete",
    "tar -xf a.tar -C /opt",
    "unheard-of --thing",
]
_WRAPPERS = [
    "env A=1 {}",
    "env -i {}",
    "timeout -k 3 5 {}",
    "nice -n 5 {}",
    "nohup {}",
    "setsid {}",
    "stdbuf -oL {}",
    "time -p {}",
    "busybox {}",
    "command {}",
    "env command {}",
    "xargs -r {}",
    "find . -maxdepth 0 -exec {} ';'",
    "flock lock {}",
    "ionice -c 3 {}",
    "chrt -b 0 {}",
    "taskset -c 0 {}",
    "unbuffer {}",
    "sh -c QUOTED",
    "bash -lc QUOTED",
    "env -S QUOTED",
    "watch QUOTED",
    "eval QUOTED",
    "script -qc QUOTED out.txt",
    "flock lock -c QUOTED",
    "( {} )",
    "if true; then {}; fi",
    "true | {}",
    "echo \"$({})\"",
]  # fmt: skip


@pytest.mark.parametrize("wrapper", _WRAPPERS)
@pytest.mark.parametrize("command", _COMMANDS)
def test_effects_stay(command, wrapper, tmp_path):
    def effects(text: str) -> set[str]:
        found = shell_effects(text, str(tmp_path), Place.of(str(tmp_path), "/home/ana"))
        return {f"{written(effect)} {effect.attributes.get('act', '')}" for effect in found}

    wrapped = wrapper.replace("{}", command).replace("QUOTED", shlex.quote(command))
    assert effects(command) <= effects(wrapped)


@pytest.mark.parametrize("unknown", ["$THING", '"$(cat list)"'])
@pytest.mark.parametrize(
    ("command", "effect"),
    [
        ("git {} push --force origin main", "push origin main force"),
        ("rm {} -rf /srv", "delete /srv"),
        ("timeout {} rm -rf /srv", "delete /srv"),
        ("nice {} rm -rf /srv", "delete /srv"),
        ("npm {} install left-pad", "install npm left-pad"),
        ("curl {} -X DELETE https://h.example/x", "http DELETE h.example/x"),
        ("kubectl {} delete pod web", "operate kubernetes delete destroy"),
    ],
)
def test_a_word_that_is_only_known_later_hides_nothing(command, effect, unknown, tmp_path):
    text = command.replace("{}", unknown)
    found = shell_effects(text, str(tmp_path), Place.of(str(tmp_path), "/home/ana"))
    assert effect in {written(each) for each in found}
    runs = [each for each in found if each.verb is Verb.RUN]
    assert any(each.attributes["why"] for each in runs)


@pytest.mark.parametrize(
    "wrapper", ["nice --odd 5", "sudo --odd x", "timeout --odd 3 9", "env -q x"]
)
def test_an_option_that_is_not_known_hides_nothing(wrapper, tmp_path):
    text = f"{wrapper} rm -rf /srv"
    found = shell_effects(text, str(tmp_path), Place.of(str(tmp_path), "/home/ana"))
    assert "delete /srv" in {written(each) for each in found}
    assert not found[0].attributes["known"]


def _effects(command: str) -> list[Effect]:
    place = Place.of("/work/project", "/home/ana")
    return list(shell_effects(command, "/work/project", place))


def _cleared(command: str) -> bool:
    effects = _effects(command)
    return any(e.verb is Verb.DELETE and e.attributes["clear"] for e in effects)


@pytest.mark.parametrize(
    "tests",
    ["", "-type f", "-mindepth 1", "-name '*'", "! -name keep", "-path ./.git -prune -o -type f"],
)
@pytest.mark.parametrize("action", ["-delete", "-exec rm {} +"])
def test_a_find_that_picks_nothing_deletes_the_whole_tree(tests: str, action: str) -> None:
    assert _cleared(f"find src {tests} {action}")


@pytest.mark.parametrize("tests", ["-name '*.pyc'", "-empty -type d", "-type f -mtime +7"])
def test_a_find_that_picks_deletes_what_it_picks(tests: str) -> None:
    assert not _cleared(f"find src {tests} -delete")


@pytest.mark.parametrize(
    "setting",
    ["RIPGREP_CONFIG_PATH=./x rg a", "HGRCPATH=./x hg status", "KUBE_EDITOR=./x true"],
)
def test_a_variable_that_names_programs_or_their_settings_makes_a_run_unreadable(
    setting: str,
) -> None:
    effects = _effects(setting)
    assert any(e.attributes.get("uninspectable") for e in effects)
