"""Log-ins to places where packages and images come from.

Sources: npm's npmrc(5) ("Auth related configuration"; `${NAME}` names a variable), Python
Packaging User Guide, "The .pypirc file", The Cargo Book, "Registry Authentication", Docker's
config.json (docker-login(1): `auths`, `credsStore`, `credHelpers`).
"""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Iterator

from supervisor.discovery.found import Found, Place, Text, host_of, listed, read

_NPM_SECRETS = ("_authToken", "_auth", "_password")
_PYPI = {"pypi": "upload.pypi.org", "testpypi": "test.pypi.org"}


def find(place: Place) -> Iterator[Found]:
    yield from _npm(place)
    yield from _pypi(place)
    yield from _cargo(place)
    yield from _docker(place)


def _npm(place: Place) -> Iterator[Found]:
    own = place.named("NPM_CONFIG_USERCONFIG", ".npmrc")
    for path in dict.fromkeys((own, *place.files(".npmrc"))):
        file = read(path)
        hosts = list(_npm_hosts(file)) if file else []
        if file and hosts:
            yield Found("npm", path, listed(hosts), hosts=tuple(hosts), since=file.changed)


def _npm_hosts(file: Text) -> Iterator[str]:
    for line in file.text.splitlines():
        name, given, value = line.strip().partition("=")
        scope, _, secret = name.strip().rpartition(":")
        if given and secret in _NPM_SECRETS and value.strip() and "${" not in value:
            yield host_of(scope.removeprefix("//")) if scope else "registry.npmjs.org"


def _pypi(place: Place) -> Iterator[Found]:
    file = read(f"{place.home}/.pypirc")
    if file is None:
        return
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.text)
    except configparser.Error:
        return
    hosts = [
        host_of(parser.get(name, "repository", fallback="")) or _PYPI.get(name, name)
        for name in parser.sections()
        if parser.has_option(name, "password")
    ]
    if hosts:
        yield Found("pypi", file.path, listed(hosts), hosts=tuple(hosts), since=file.changed)


def _cargo(place: Place) -> Iterator[Found]:
    folder = place.named("CARGO_HOME", ".cargo")
    for name in ("credentials.toml", "credentials"):
        file = read(f"{folder}/{name}")
        if file is None:
            continue
        try:
            tables = tomllib.loads(file.text)
        except tomllib.TOMLDecodeError:
            continue
        others = tables.get("registries")
        names = ["crates.io"] if "token" in tables.get("registry", {}) else []
        names += [each for each, entry in dict(others or {}).items() if "token" in entry]
        if names:
            hosts = tuple(each for each in names if each == "crates.io")
            yield Found("cargo", file.path, listed(names), hosts=hosts, since=file.changed)


def _docker(place: Place) -> Iterator[Found]:
    file = read(place.named("DOCKER_CONFIG", ".docker") + "/config.json")
    if file is None:
        return
    try:
        config = json.loads(file.text)
        kept = [host for host, entry in config.get("auths", {}).items() if entry.get("auth")]
        helpers = list(config.get("credHelpers", {}))
        store = str(config.get("credsStore", ""))
    except (ValueError, AttributeError, RecursionError):
        return
    hosts = tuple(host_of(host) for host in kept)
    if hosts:
        yield Found("docker", file.path, listed(hosts), hosts=hosts, since=file.changed)
    if store or helpers:
        told = listed([*([f"helper {store}"] if store else []), *helpers])
        yield Found("docker", file.path, told, hosts=tuple(helpers), since=file.changed)
