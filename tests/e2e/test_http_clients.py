"""Every client of the matrix does its day's work through the proxy, with a credential it never
sees; in one contained task, against servers over TLS."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.http_clients import clients
from tests.support.http_services import HttpServices
from tests.support.live import Install

TOKEN = "real-9qk2vwpx71mzt4cbn8fd"

# What each prints when all went well, and what its server then was asked for.
EXPECTED = {
    "curl": ('{"hello": "curl"}', "/v1/curl"),
    "git": ("", "/git/project.git/info/refs"),
    "git-basic": ("", "/git/project.git/HEAD"),
    "node-fetch": ('{"hello": "node-fetch"}', "/v1/node-fetch"),
    "node-https": ('{"hello": "node-https"}', "/v1/node-https"),
    "requests": ('{"hello": "requests"}', "/v1/requests"),
    "httpx": ('{"hello": "httpx"}', "/v1/httpx"),
    "urllib": ('{"hello": "urllib"}', "/v1/urllib"),
    "aiohttp": ('{"hello": "aiohttp"}', "/v1/aiohttp"),
    "boto3": ("stored", "/data/hello.txt"),
    "gh": ('{"hello": "ana"}', "/api/v3/user"),
    "pip": ("", "/files/tiny_margin-1.0-py3-none-any.whl"),
    "npm": ("added 1 package", "/left-margin/-/left-margin-1.2.3.tgz"),
}


@pytest.fixture
def services(install: Install, tmp_path: Path) -> Iterator[HttpServices]:
    made = HttpServices(TOKEN, _repository(tmp_path))
    made.start()
    roots = install.root / "roots.pem"
    made.authority.cert_pem.write_to_path(str(roots))
    install.configure(f'[network]\nextra_roots = "{roots}"\nallow_private = ["{made.store}"]\n')
    added = install.cli(
        "credential", "add", "api", "--host", made.api, "--host", made.api_for_go,
        "--host", made.registry.host, "--env", "API_TOKEN", stdin=TOKEN + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    yield made
    made.stop()


def _repository(folder: Path) -> Path:
    source, bare = folder / "source", folder / "project.git"
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "init", "-q", str(source)], check=True)
    (source / "hello").write_text("hello from git\n")
    subprocess.run([*git, "-C", str(source), "add", "hello"], check=True)
    subprocess.run([*git, "-C", str(source), "commit", "-qm", "first"], check=True)
    subprocess.run([*git, "clone", "-q", "--bare", str(source), str(bare)], check=True)
    subprocess.run([*git, "-C", str(bare), "update-server-info"], check=True)
    return bare


def test_every_client_gets_through_with_a_stand_in(
    install: Install, services: HttpServices
) -> None:
    where = clients()
    project = install.project
    inside = Path(__file__).parents[1] / "support" / "clients_inside.py"
    shutil.copy(inside, project)
    trustme.CA().cert_pem.write_to_path(str(project / "pinned.pem"))
    settings = {
        "api": services.api,
        "api_for_go": services.api_for_go,
        "index": services.registry.host,
        "store": services.store,
        "node_bin": str(where.node_bin),
        "libraries": str(where.libraries),
        "python": where.python,
        "gh": where.gh,
    }
    (project / "settings.json").write_text(json.dumps(settings))
    shown = [word for place in where.shown for word in ("--show", place)]
    done = install.cli(
        "run", "--headless", *shown, "--", "/usr/bin/python3", "clients_inside.py", "settings.json"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout.splitlines()[-1])

    failed = {
        name: results[name]
        for name, (output, _) in EXPECTED.items()
        if results[name]["code"] or output not in results[name]["output"]
    }
    assert not failed, json.dumps(failed, indent=1)
    assert {path for _, path in EXPECTED.values()} <= {path for path, _ in services.seen}
    assert (project / "cloned/hello").read_text() == "hello from git\n"
    assert (project / "cloned-too/hello").read_text() == "hello from git\n"
    assert (project / "pip/tiny_margin.py").exists()
    assert (project / "npm/node_modules/left-margin/index.js").exists()
    # Only the servers saw the real token; they saw nothing else, but for git's and pip's first
    # attempt, which carries none.
    assert {shown for _, shown in services.turned_away} <= {""}
    for file in (*project.rglob("*"), install.log):
        if file.is_file() and not file.is_symlink():
            assert TOKEN.encode() not in file.read_bytes(), file
    assert TOKEN not in done.stdout + done.stderr

    used = {record["effect"] for record in install.records("use.intent")}
    paths = {path for _, path in EXPECTED.values() if path.startswith("/v1/")}
    assert {f"GET {services.api}{path}" for path in paths} <= used
    assert f"GET {services.registry.host}/left-margin" in used

    # Past the proxy nothing of the machine's loopback is reached, and each attempt is on record.
    direct = {name for name in results if name.endswith("-direct")}
    assert direct == {"curl-direct", "node-direct", "aiohttp-direct"}
    assert all(results[name]["code"] for name in direct)
    refused = install.records("egress.refused")
    assert sum(each["times"] for each in refused if each["port"] == services.api_port) >= 3
    # A client that accepts no authority but its own cannot be read: on record, with what works.
    assert results["pinned"]["code"]
    (denied,) = install.records("use.denied")
    assert (denied["code"], denied["effect"]) == ("not_intercepted", f"connect {services.api}")
    assert "does not accept the task's certificate" in denied["reason"]
    reached = {path.removeprefix("/v1/") for path, _ in services.seen}
    assert not reached & {*direct, "pinned"}
