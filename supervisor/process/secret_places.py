"""Where credentials lie, as the tools that put them there document it."""

from __future__ import annotations

import os

# Below a home directory.
_IN_HOME = (
    ".ssh", ".gnupg", ".aws", ".azure", ".config/gcloud", ".kube", ".docker/config.json", ".netrc",
    ".git-credentials", ".config/git/credentials", ".config/gh", ".config/hub", ".npmrc", ".pypirc",
    ".cargo/credentials.toml", ".gem/credentials", ".m2/settings.xml", ".gradle/gradle.properties",
    ".config/op", ".password-store", ".vault-token", ".terraform.d/credentials.tfrc.json",
    ".pgpass", ".my.cnf", ".config/doctl", ".fly", ".config/rclone", ".local/share/keyrings",
    ".mozilla", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware",
    ".config/microsoft-edge", ".config/vivaldi", ".thunderbird", ".local/share/kwalletd",
    ".bash_history", ".zsh_history",
)  # fmt: skip

# The agents' log-ins to their models: readable when uncontained, and needed by the agent itself.
_MODEL_LOGINS = (
    ".claude/.credentials.json", ".codex/auth.json", ".local/share/opencode/auth.json",
    ".copilot/config.json", ".gemini/oauth_creds.json", ".qwen/oauth_creds.json",
)  # fmt: skip

# The same places, where somebody keeps a home's files in a project or a project's own log-ins.
_ANYWHERE = (
    ".ssh", ".gnupg", ".aws", ".azure", ".kube", ".password-store", ".config/gcloud", ".config/gh",
    ".docker/config.json", ".netrc", "_netrc", ".git-credentials", ".pypirc", ".pgpass", ".my.cnf",
    ".vault-token", ".npmrc", ".yarnrc.yml", ".local/share/keyrings", ".mozilla",
    ".config/google-chrome", ".config/chromium",
)  # fmt: skip
_BY_NAME: dict[str, tuple[str, ...]] = {}
for _place in _ANYWHERE:
    _folder, _, _name = _place.rpartition("/")
    _BY_NAME[_name] = (*_BY_NAME.get(_name, ()), _folder)

# Configuration first, and only some of it holds a log-in.
_MIXED = frozenset({".npmrc", ".yarnrc.yml"})
_LOGIN_IN_IT = (b"_authToken", b"_password", b"_auth=", b"npmAuthToken", b"npmAuthIdent")

# Names that people give to files which say how a real one looks.
_MODELS = (".example", ".sample", ".template", ".dist", ".schema", ".tpl", ".defaults")


def exposed(home: str) -> tuple[str, ...]:
    """Credential paths that exist in `home`: what an uncontained agent can read. As "~/…"."""
    names = (*_IN_HOME, *_MODEL_LOGINS)
    return tuple(f"~/{name}" for name in names if os.path.lexists(os.path.join(home, name)))


def in_home(home: str) -> list[str]:
    """Paths in `home` that no task needs, whether they exist or not."""
    return [os.path.join(home, name) for name in _IN_HOME]


def may_be_secret(name: str) -> bool:
    """Whether `is_dotenv` or `is_secret` may be true of something called so: quick to know."""
    return ".env" in name or name in _BY_NAME


def is_dotenv(name: str) -> bool:
    """Whether a file of this name holds a project's real secrets: `.env`, `.env.local` …"""
    if name == ".env" or name.endswith(".env.local"):
        return True
    return name.startswith(".env.") and not name.endswith(_MODELS)


def is_secret(path: str) -> bool:
    """Whether what lies here is a credential store, or a file that holds one. May read it."""
    folder, _, name = path.rpartition("/")
    folders = _BY_NAME.get(name)
    if folders is None or not any(not end or folder.endswith("/" + end) for end in folders):
        return False
    return name not in _MIXED or _holds_login(path)


def _holds_login(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            text = file.read(65536)
    except OSError:
        return False
    # "${TOKEN}" names a variable: nothing to keep.
    lines = [line for line in text.splitlines() if b"${" not in line]
    return any(sign in line for line in lines for sign in _LOGIN_IN_IT)
