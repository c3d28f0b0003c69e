"""What gh is told in a task: for which hosts, and what real gh makes of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from supervisor.channels import github
from supervisor.model import CredentialSpec
from tests.support.gh import find_gh


def spec(*hosts: str, issuer: str = "stored", **options: str) -> CredentialSpec:
    return CredentialSpec("x", issuer, hosts, options=options)


@pytest.mark.parametrize(
    ("credential", "hosts"),
    [
        (spec("api.github.com", "uploads.github.com", "github.com"), ("github.com",)),
        (spec("api.github.com"), ("github.com",)),
        (spec("api.acme.ghe.com", "acme.ghe.com"), ("acme.ghe.com",)),
        (spec("ghe.corp:8443", forge="github"), ("ghe.corp:8443",)),
        (spec("ghe.corp", issuer="github-app", api="https://ghe.corp/api/v3"), ("ghe.corp",)),
        (spec("ghe.corp"), ()),
        (spec("github.com.evil.example", "notgithub.com"), ()),
        (spec("gitlab.com"), ()),
    ],
)
def test_which_hosts_a_credential_logs_in_to(
    credential: CredentialSpec, hosts: tuple[str, ...]
) -> None:
    assert github.hosts(credential) == hosts


def test_real_gh_reads_it(tmp_path: Path) -> None:
    stand_in = 'ghp_with"quote: and # more'
    for name, text in github.files({"github.com": stand_in, "ghe.corp": "other"}, "/s").items():
        (tmp_path / name).write_text(text)

    def gh(*words: str) -> str:
        environ = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
        return subprocess.run(
            [find_gh(), *words], env=environ | github.variables(str(tmp_path)),
            capture_output=True, text=True, timeout=20, check=True,
        ).stdout.strip()  # fmt: skip

    assert gh("auth", "token") == stand_in
    assert gh("auth", "token", "--hostname", "ghe.corp") == "other"
    assert gh("config", "get", "http_unix_socket") == "/s"
    assert gh("config", "get", "git_protocol") == "https"
