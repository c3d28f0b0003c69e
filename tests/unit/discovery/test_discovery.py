"""Each kind of log-in is found as its program writes it down, and no reader tells a value."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.discovery import Found, Place, Way, discover
from supervisor.discovery.exposure import readable, view_of
from supervisor.model import Tier

VALUE = "4fz81kq90xvwpl27mncb"  # part of every secret below

FILES = {
    ".config/gh/hosts.yml": f"""\
github.com:
    users:
        ana:
            oauth_token: gho_{VALUE}
    git_protocol: https
    oauth_token: gho_{VALUE}
    user: ana
ghe.example.com:
    user: ana
""",
    ".netrc": f"machine api.heroku.com\n  login ana\n  password {VALUE}\nmachine empty.example\n",
    ".git-credentials": f"https://ana:{VALUE}@gitlab.com\nhttps://nobody@example.com\n",
    ".npmrc": f"//registry.npmjs.org/:_authToken=npm_{VALUE}\n//x.example/:_authToken=${{T}}\n",
    ".pypirc": f"[pypi]\nusername = __token__\npassword = pypi-{VALUE}%\n[other]\nrepository = x\n",
    ".cargo/credentials.toml": f'[registry]\ntoken = "{VALUE}"\n[registries.own]\ntoken = "x"\n',
    ".docker/config.json": json.dumps(
        {"auths": {"ghcr.io": {"auth": VALUE}, "https://index.docker.io/v1/": {}},
         "credHelpers": {"eu.gcr.io": "gcloud"}}
    ),
    ".aws/credentials": f"[default]\naws_access_key_id = AKIA{VALUE}\n"
    f"aws_secret_access_key = {VALUE}%\n",
    ".aws/sso/cache/0a.json": json.dumps(
        {"startUrl": "https://ana.awsapps.com/start", "accessToken": VALUE,
         "expiresAt": "2026-11-23T10:00:00UTC"}
    ),
    ".config/gcloud/application_default_credentials.json": json.dumps(
        {"type": "authorized_user", "refresh_token": VALUE, "account": "ana@example.com"}
    ),
    ".kube/config": f"""\
clusters: [{{name: prod, cluster: {{server: "https://k8s.example.com:6443"}}}}]
users: [{{name: admin, user: {{token: {VALUE}}}}}, {{name: nobody, user: {{}}}}]
""",
    ".terraform.d/credentials.tfrc.json": json.dumps(
        {"credentials": {"app.terraform.io": {"token": VALUE}}}
    ),
    ".pgpass": f"db:5432:*:ana:{VALUE}",
    "shop/.env": f"# keys\nexport STRIPE_SECRET_KEY='sk_live_{VALUE}'\nDEBUG=true\nPORT=80\n"
    "API_TOKEN=\nPAGE_TOKENS=12345678\n",
    "shop/.env.example": f"STRIPE_SECRET_KEY=sk_live_{VALUE}\n",
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (1_790_000_000, 1_790_000_000))
    environ = {
        "GH_TOKEN": f"ghp_{VALUE}",
        "ANTHROPIC_API_KEY": VALUE,
        "EDITOR": "vi",
        "HOOK": VALUE,
    }
    return Place(str(tmp_path), str(tmp_path / "shop"), environ)


def told(found: tuple[Found, ...], kind: str) -> Found:
    (one,) = [each for each in found if each.kind == kind]
    return one


def test_every_kind_is_found_with_what_it_opens(place: Place) -> None:
    found = discover(place)
    github, enterprise = [each for each in found if each.kind == "gh"]
    assert (github.what, github.hosts) == ("ana, OAuth token", ("github.com", "api.github.com"))
    assert github.reference == "cmd://gh auth token --hostname github.com"
    assert (enterprise.what, enterprise.hosts) == (
        "ana, token in the keyring",
        ("ghe.example.com",),
    )
    assert {each.way for each in (github, enterprise)} == {Way.REFERENCE}
    assert told(found, "netrc").hosts == ("api.heroku.com",)
    assert told(found, "git").hosts == ("gitlab.com",)
    assert told(found, "npm").hosts == ("registry.npmjs.org",)
    assert told(found, "pypi").hosts == ("upload.pypi.org",)
    assert told(found, "cargo").what == "crates.io, own"
    assert [each.hosts for each in found if each.kind == "docker"] == [("ghcr.io",), ("eu.gcr.io",)]
    key, sso = [each for each in found if each.kind == "aws"]
    assert (key.what, key.since) == ("default: static key", 1_790_000_000)
    assert (sso.what, sso.expires) == ("sign-in at ana.awsapps.com", 1795428000)
    assert told(found, "gcloud").what == "authorized user ana@example.com"
    cluster = told(found, "kubernetes")
    assert (cluster.names, cluster.hosts) == (("admin",), ("k8s.example.com:6443",))
    assert told(found, "terraform").hosts == ("app.terraform.io",)
    dotenv = told(found, "dotenv")
    assert (dotenv.names, dotenv.way) == (("STRIPE_SECRET_KEY",), Way.IMPORT)
    assert dotenv.what == "STRIPE_SECRET_KEY (live!)"
    variable = told(found, "environment")
    assert (variable.names, variable.reference) == (("GH_TOKEN",), "env://GH_TOKEN")
    assert told(found, "other").path.endswith(".pgpass")


def test_of_a_dotenv_is_told_what_would_move_and_what_stays(tmp_path: Path) -> None:
    def found(**options: Any) -> Found:
        return told(discover(Place(str(tmp_path), str(tmp_path), **options)), "dotenv")

    file = tmp_path / ".env"
    file.write_text(
        f"STRIPE_SECRET_KEY=sk_test_{VALUE}\nJWT_SECRET={VALUE}\nPORT=80\n# ghp_{'a1B2' * 9}\n"
    )
    one = found()
    assert (one.way, one.names, one.hosts) == (
        Way.IMPORT,
        ("STRIPE_SECRET_KEY",),
        ("api.stripe.com", "files.stripe.com"),
    )
    assert [each.partition(":")[0] for each in one.stays] == ["JWT_SECRET", "a comment"]
    assert VALUE not in repr(one)
    imported = found(stands_in=lambda text: "stripe" if text.startswith("sk_") else "")
    assert (imported.way, imported.names[0]) == (Way.HIDE, "JWT_SECRET")
    git = ["git", "-C", str(tmp_path), "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", ".env"], check=True)
    tracked = found()
    assert (tracked.way, tracked.what.endswith("in git")) == (Way.HIDE, True)
    file.write_text("PORT=80\n")
    assert not [each for each in discover(Place(str(tmp_path), str(tmp_path)))]


def test_no_value_is_told(place: Place) -> None:
    assert VALUE not in repr(discover(place))


def test_variables_lead_to_other_places(place: Place, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / ".config/gh").rename(moved / "gh")
    (tmp_path / ".npmrc").rename(moved / "rc")
    environ = {"GH_CONFIG_DIR": f"{moved}/gh", "NPM_CONFIG_USERCONFIG": f"{moved}/rc"}
    found = discover(Place(place.home, place.workspace, environ))
    assert {each.path for each in found if each.kind in ("gh", "npm")} == {
        f"{moved}/gh/hosts.yml",
        f"{moved}/rc",
    }


def test_nothing_is_found_in_a_new_home(tmp_path: Path) -> None:
    assert discover(Place(str(tmp_path), str(tmp_path))) == ()


def ssh_key(form: PrivateFormat, passphrase: bytes) -> bytes:
    """A key file as ssh-keygen writes it. Its locked own format has a bcrypt key: only the names
    of cipher and key derivation, which stand in clear (PROTOCOL.key), are made here."""
    if form is PrivateFormat.OpenSSH and passphrase:
        names = b"".join(len(name).to_bytes(4, "big") + name for name in (b"aes256-ctr", b"bcrypt"))
        body = base64.encodebytes(b"openssh-key-v1\0" + names + bytes(200))
        begin, end = (b"-----%s OPENSSH PRIVATE KEY-----\n" % word for word in (b"BEGIN", b"END"))
        return begin + body + end
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, form, locked)


@pytest.mark.parametrize(
    "form", [PrivateFormat.OpenSSH, PrivateFormat.TraditionalOpenSSL, PrivateFormat.PKCS8]
)
@pytest.mark.parametrize("passphrase", [b"", b"correct horse"])
def test_ssh_keys_tell_whether_they_are_locked(
    tmp_path: Path, form: PrivateFormat, passphrase: bytes
) -> None:
    folder = tmp_path / ".ssh"
    folder.mkdir()
    (folder / "id").write_bytes(ssh_key(form, passphrase))
    (folder / "known_hosts").write_text("x")
    (key,) = discover(Place(str(tmp_path)))
    expected = "with a passphrase" if passphrase else "no passphrase"
    assert (key.path, key.what) == (str(folder / "id"), expected)


def test_an_ssh_agent_is_found_by_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "agent"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        (agent,) = discover(Place(str(tmp_path), environ={"SSH_AUTH_SOCK": str(path)}))
    assert agent.kind == "ssh-agent"


@given(name=st.sampled_from(sorted(FILES)), junk=st.binary(max_size=80), cut=st.integers(0, 80))
@settings(max_examples=150, deadline=None)
def test_a_file_that_is_anything_at_all_stops_no_reader(
    tmp_path_factory: pytest.TempPathFactory, name: str, junk: bytes, cut: int
) -> None:
    home = tmp_path_factory.mktemp("home")
    path = home / name
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = FILES[name].encode()
    path.write_bytes(whole[:cut] + junk + whole[cut:])
    for each in discover(Place(str(home), str(home / "shop"))):
        assert VALUE not in repr(each)


def test_settings_without_a_log_in_are_none(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("fund=false\n")
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"auths": {}}')
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/known_hosts").write_text("x")
    assert discover(Place(str(tmp_path), str(tmp_path))) == ()


def test_a_fifo_or_a_directory_in_the_place_of_a_file_is_passed_by(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".netrc")
    (tmp_path / ".npmrc").mkdir()
    assert {each.kind for each in discover(Place(str(tmp_path)))} == {"other"}


# ── What stays readable ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("tier", "mode", "open_ones"),
    [
        (Tier.A, "standard", set()),
        (Tier.A, "strict", set()),
        (Tier.B, "standard", {"dotenv"}),
        (Tier.B, "strict", set()),
        (Tier.A, "off", {"gh", "netrc", "dotenv", "environment"}),
        (Tier.UNCONTAINED, "off", {"gh", "netrc", "dotenv", "environment"}),
    ],
)
def test_what_an_agent_can_read_depends_on_what_contains_it(
    place: Place, tier: Tier, mode: str, open_ones: set[str]
) -> None:
    view = view_of(place, tier, mode)
    found = {each.kind for each in discover(place) if readable(each, view)}
    assert found & {"gh", "netrc", "dotenv", "environment"} == open_ones


def test_what_the_person_lets_in_is_readable_and_what_git_tracks_too(place: Place) -> None:
    def open_ones(**options: tuple[str, ...]) -> set[str]:
        view = view_of(place, Tier.A, "standard", **options)
        return {each.kind for each in discover(place) if readable(each, view)}

    assert open_ones(let_in=("~/.netrc", "~/.config/gh")) == {"netrc", "gh"}
    assert open_ones(let_in=("~/.netrc",), kept=("~/.netrc",)) == set()
    git = ["git", "-C", place.workspace, "-c", "init.defaultBranch=main"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", ".env"], check=True)
    assert open_ones() == {"dotenv"}
