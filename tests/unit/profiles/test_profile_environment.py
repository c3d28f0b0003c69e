"""The environment an agent gets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from profiles.environment import HARMLESS, keep, scrub

NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", min_size=1, max_size=20)
ENVIRON = st.dictionaries(NAMES, st.text(max_size=20), max_size=10)


@given(ENVIRON)
def test_nothing_is_invented_or_changed(environ: dict[str, str]) -> None:
    for kept in (keep(environ, HARMLESS), scrub(environ)):
        assert kept.items() <= environ.items()


@given(NAMES, st.sampled_from(["_TOKEN", "_API_KEY", "_SECRET", "_PASSWORD", "_CREDENTIALS"]))
def test_credentials_by_name_go_in_any_case(name: str, ending: str) -> None:
    environ = {name + ending: "x", (name + ending).lower(): "x"}
    assert scrub(environ) == {}
    assert keep(environ, HARMLESS) == {}


def test_credentials_in_addresses_go() -> None:
    environ = {
        "BROKER": "amqp://app:hunter2@mq/", "MIRROR": "https://u:p@pkg.example/simple",
        "HOMEPAGE": "https://example.org/@ana", "REPO": "git@example.org:a/b",
    }  # fmt: skip
    assert scrub(environ) == {
        "HOMEPAGE": "https://example.org/@ana", "REPO": "git@example.org:a/b",
    }  # fmt: skip


def test_ordinary_variables_stay() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "CC": "gcc", "MAKEFLAGS": "-j2", "EDITOR": "vi"}
    assert scrub(environ) == environ


def test_what_leads_to_credentials_goes() -> None:
    names = ["SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "TMUX", "TMUX_PANE", "XDG_RUNTIME_DIR",
             "KUBECONFIG", "AWS_PROFILE", "LD_PRELOAD", "NODE_OPTIONS", "BASH_ENV", "DISPLAY",
             "GIT_ASKPASS", "TASKPASS_TASK"]  # fmt: skip
    assert scrub(dict.fromkeys(names, "x")) == {}
