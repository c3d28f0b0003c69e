"""What of the person's environment an agent gets. Pure.

Two ways, because two kinds of program: an agent that we know gets an allow-list (`keep`), so
that a variable nobody thought of stays outside; any other program gets everything but what
looks like a credential or leads to one (`scrub`), because we cannot know what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

# Harmless, and programs misbehave without them. Not here on purpose: NODE_OPTIONS, LD_PRELOAD,
# PYTHONPATH, BASH_ENV (they run code in the agent), SSH_AUTH_SOCK, DBUS_* and XDG_RUNTIME_DIR
# (they lead to credentials), *_PROXY (ours is laid over it).
HARMLESS = (
    "HOME", "USER", "LOGNAME", "PATH", "PWD", "TZ", "LANG", "LANGUAGE", "LC_*",
    "TERM", "COLORTERM", "COLORFGBG", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "LS_COLORS",
    "EDITOR", "VISUAL", "PAGER", "LESS", "TMPDIR",
    "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME",
    "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYENV_ROOT", "NVM_DIR", "NVM_BIN",
    "VOLTA_HOME", "GOPATH", "GOROOT", "CARGO_HOME", "RUSTUP_HOME", "JAVA_HOME", "GEM_HOME",
)  # fmt: skip

# Names that carry a credential, lead to one, or inject code. Matched in upper case.
SENSITIVE = (
    "*TOKEN", "*TOKEN_*", "*_KEY", "*APIKEY*", "*API_KEY*", "*ACCESS_KEY*", "*PRIVATE_KEY*",
    "*SECRET*", "*PASSWORD*", "*PASSWD*", "*PASSPHRASE*", "*_PASS", "*CREDENTIAL*", "*_PAT",
    "*_AUTH", "*AUTHORIZATION*", "*COOKIE*", "*SESSION_ID*", "*_JWT", "*_DSN", "*CONN_STR*",
    "*CONNECTION_STRING*", "*WEBHOOK*",
    "AWS_*", "AZURE_*", "ARM_*", "GOOGLE_*", "GCLOUD_*", "GCP_*", "CLOUDSDK_*", "KUBECONFIG",
    "DOCKER_*", "VAULT_*", "BAO_*", "CONSUL_*", "NOMAD_*", "PG*", "MYSQL_*", "REDIS*",
    "ACTIONS_*", "CI_JOB_*", "BUILDKITE_*", "NPM_CONFIG_*AUTH*", "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL", "UV_INDEX*", "GIT_ASKPASS", "SSH_*", "GPG_*", "GNUPGHOME", "SUDO_*",
    "DBUS_*", "XDG_RUNTIME_DIR", "XAUTHORITY", "DISPLAY", "WAYLAND_*", "ICEAUTHORITY",
    "TMUX*", "STY", "ZELLIJ*", "WEZTERM_*", "KITTY_*", "ITERM_*", "VSCODE_*", "TERM_SESSION*",
    "LD_*", "DYLD_*", "BASH_ENV", "ENV", "BASH_FUNC_*", "PROMPT_COMMAND", "NODE_OPTIONS",
    "PYTHONSTARTUP", "PYTHONPATH", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "TASKPASS_*",
)  # fmt: skip

# "scheme://user:password@host", wherever in a value: database URLs, proxies, index URLs.
_USERINFO = re.compile(r"[a-z][a-z0-9+.-]*://[^/\s@:]*:[^/\s@]+@", re.IGNORECASE)


def keep(environ: Mapping[str, str], patterns: Iterable[str]) -> dict[str, str]:
    """Only the variables whose names match a pattern (shell-style, case matters)."""
    wanted = tuple(patterns)
    return {
        name: value
        for name, value in environ.items()
        if any(fnmatchcase(name, pattern) for pattern in wanted)
    }


def sensitive(name: str, value: str) -> bool:
    """Whether a variable looks as if it carried a credential, or led to one."""
    upper = name.upper()
    return any(fnmatchcase(upper, pattern) for pattern in SENSITIVE) or bool(
        _USERINFO.search(value)
    )


def scrub(environ: Mapping[str, str]) -> dict[str, str]:
    """Everything but what is `sensitive`."""
    return {name: value for name, value in environ.items() if not sensitive(name, value)}
