"""Secrets of other vaults, by the programs that read them: the real gh, and op and vault as their
documentation has them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from tests.support.gh import find_gh
from tests.support.live import TASKPASS, ApiServer, Install

# Refuses whatever its documentation does not have.
OP = """
import os, sys
if sys.argv[1:] != ["read", "--no-newline", "op://dev/acme/api/token"]:
    sys.exit('[ERROR] could not read secret: invalid secret reference')
if os.environ.get("OP_ACCOUNT") != "acme.1password.com":
    sys.exit("[ERROR] account is not signed in")
sys.stdout.write({token!r})
"""
VAULT = """
import os, pathlib, sys
*flags, path = sys.argv[1:]
if flags != ["kv", "get", "-mount=secret", "-field=token"] or path != "ci/acme":
    sys.exit(1)
if os.environ.get("VAULT_ADDR") != "https://vault.acme.test" or "VAULT_TOKEN" in os.environ:
    sys.exit(2)
if (pathlib.Path.home() / ".vault-token").read_text() != "hvs.token-of-the-person":
    print("* permission denied", file=sys.stderr)
    sys.exit(2)
sys.stdout.write({token!r})
"""


def add(
    install: Install, api: ApiServer, reference: str, environ: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TASKPASS, "credential", "add", "ref", "--host", api.host, "--from", reference],
        cwd=install.project, env={**install.environ, **environ}, capture_output=True, text=True,
    )  # fmt: skip


def put_program(install: Install, name: str, text: str) -> str:
    """Its path."""
    path = install.home / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{sys.executable} -I\n{text}")
    path.chmod(0o755)
    return str(path)


def works(install: Install, api: ApiServer) -> bool:
    tested = install.cli("credential", "test", "ref", "/me")
    assert api.token not in tested.stdout + tested.stderr
    return "answered 200" in tested.stdout


@pytest.fixture
def path(install: Install) -> str:
    return f"{install.home / 'bin'}:{install.environ['PATH']}"


def test_the_token_that_the_real_gh_holds(install: Install, api: ApiServer) -> None:
    gh = find_gh()
    config = install.home / ".config" / "gh"
    config.mkdir(parents=True)
    hosts = "github.com:\n    user: ana\n    oauth_token: {}\n    git_protocol: https\n"
    (config / "hosts.yml").write_text(hosts.format(api.token))
    told = {"PATH": f"{os.path.dirname(gh)}:{install.environ['PATH']}", "GH_TOKEN": "not-this-one"}
    added = add(install, api, "cmd://gh auth token --hostname github.com", told)
    assert added.returncode == 0, added.stderr
    assert works(install, api)
    # Logged in anew, and then no more: looked up each time.
    (config / "hosts.yml").write_text(hosts.format("gho_an-older-token-1234"))
    assert not works(install, api)
    (config / "hosts.yml").unlink()
    gone = install.cli("credential", "test", "ref", "/me")
    assert "`gh auth token --hostname github.com` ended with 1" in gone.stderr


def test_fields_of_1password_vault_and_openbao(install: Install, api: ApiServer, path: str) -> None:
    put_program(install, "op", OP.format(token=api.token))
    reference = "op://dev/acme/api/token"
    refused = add(install, api, reference, {"PATH": path})
    assert refused.returncode == 1
    assert "`op read --no-newline op://dev/acme/api/token` ended with 1" in refused.stderr
    assert "signed in" not in refused.stderr  # what it prints is its own
    added = add(install, api, reference, {"PATH": path, "OP_ACCOUNT": "acme.1password.com"})
    assert added.returncode == 0, added.stderr
    assert works(install, api)

    (install.home / ".vault-token").write_text("hvs.token-of-the-person")
    told = {"PATH": path, "VAULT_ADDR": "https://vault.acme.test", "VAULT_TOKEN": "hvs.another"}
    for name in ("bao", "vault"):
        assert install.cli("credential", "remove", "ref").returncode == 0
        program = put_program(install, name, VAULT.format(token=api.token))
        added = add(install, api, "vault://secret/ci/acme#token", told)
        assert added.returncode == 0, added.stderr
        assert works(install, api)
        kept = (install.paths.state / "credentials.toml").read_text()
        assert f'program = "{program}"' in kept
        assert "hvs." not in kept

    # One that lies where tasks write could be a task's own.
    tool = install.project / "bin" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho planted-by-a-task\n")
    tool.chmod(0o755)
    planted = add(install, api, "cmd://tool", {"PATH": str(tool.parent)})
    assert planted.returncode == 2
    assert "where a task could change it" in planted.stderr
