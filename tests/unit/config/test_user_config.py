"""`config.toml`: what it can say, and where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config import Config, load_user_config
from supervisor.errors import ConfigError


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text)
    return path


def test_without_a_file_there_are_defaults(tmp_path: Path) -> None:
    assert load_user_config(tmp_path / "config.toml") == Config()


def test_everything_can_be_said(tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text("")
    config = load_user_config(
        write(
            tmp_path,
            f'preset = "standard"\n[approvals]\ntimeout = 60\nhold = 5.5\n'
            f'[network]\nextra_roots = "{roots}"\nallow_private = ["gitlab.corp:443"]\n'
            'splice = ["DB.corp:6432"]\n',
        )
    )
    assert config == Config(
        "standard", 60.0, 5.5, str(roots), ("gitlab.corp:443",), ("db.corp:6432",)
    )


def test_containment_can_be_said(tmp_path: Path) -> None:
    config = load_user_config(
        write(
            tmp_path,
            '[containment]\nmode = "strict"\nshow = ["~/a"]\nwrite = ["/b"]\n'
            'deny_read = ["c/**"]\nx11 = true\nwayland = true\ndbus = true\ntier = "B"\n',
        )
    )
    assert (config.contain, config.tier) == ("strict", "B")
    assert (config.show, config.write, config.deny_read) == (("~/a",), ("/b",), ("c/**",))
    assert (config.x11, config.wayland, config.dbus) == (True, True, True)


def test_notifications_can_be_said(tmp_path: Path) -> None:
    config = load_user_config(
        write(
            tmp_path,
            '[notify]\ndesktop = false\nwebhook = "https://hooks.example/a"\n'
            'webhook_key = "op://vault/hook/key"\n',
        )
    )
    assert not config.notify_desktop
    assert (config.webhook, config.webhook_key) == (
        "https://hooks.example/a",
        "op://vault/hook/key",
    )


def test_a_key_written_into_it_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load_user_config(write(tmp_path, '[notify]\nwebhook_key = "hunter2hunter2"'))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("given", ['webhook = "https://a.example"', 'webhook_key = "cmd://a"'])
def test_a_webhook_is_signed_or_there_is_none(given: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="go together: each message is signed"):
        load_user_config(write(tmp_path, f"[notify]\n{given}\n"))


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ('[notify]\ndesktop = "yes"', "2:1", "must be true or false"),
        ('[notify]\nwebhook = "http://a.example"', "2:1", "must be an https:// address"),
        ('[notify]\nwebhook = "https://u:p@a.example"', "2:1", "without a password in it"),
        ('[notify]\nwebhook = "https://[::1"', "2:1", "must be an https:// address"),
        ('[notify]\nwebhook_key = "hunter2hunter2"', "2:1", "must say where it is looked up"),
        ('[notify]\nwebhook_key = "env://KEY"', "2:1", "must say where it is looked up"),
        ('[containment]\nmode = "lax"', "2:1", "must be one of off, standard, strict"),
        ('[containment]\ntier = "Z"', "2:1", "must be one of A, B, uncontained"),
        ("[containment]\nx11 = 1", "2:1", "must be true or false"),
        ('[containment]\nshow = "~"', "2:1", "must be a list of texts"),
        ("preset = \n", "1:10", "Invalid value"),
        ("preset = 3", "1:1", "preset must be a text"),
        ("[approvals]\n\n  timeout = true", "3:3", "must be a number of seconds"),
        ("[approvals]\ntimeout = 0", "2:1", "more than 0"),
        ("[approvals]\ntimout = 5", "2:1", "no setting 'approvals.timout'"),
        ("[aprovals]\ntimeout = 5", "2:1", "no setting 'aprovals.timeout'"),
        ("approvals.hold = -1", "1:1", "more than 0"),
        ('[network]\nallow_private = "x"', "2:1", "must be a list of texts"),
        ('[network]\nsplice = ["db.corp"]', "2:1", "no host with its port"),
        ('[network]\nextra_roots = "/does/not/exist"', "2:1", "is not a file"),
        ("# only\n[network]\nx = [", "3:6", "Invalid value"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    tmp_path: Path, text: str, place: str, what: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_user_config(path)
    assert caught.value.message.startswith(f"{path}:{place}: "), caught.value.message
    assert what in caught.value.message


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_user_config(path)
