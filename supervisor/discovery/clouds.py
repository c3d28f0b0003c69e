"""Log-ins to clouds and clusters.

Sources: AWS SDKs and Tools Reference Guide ("Shared config and credentials files", "IAM Identity
Center"), Google Cloud "How Application Default Credentials works", Kubernetes "Organizing Cluster
Access Using kubeconfig Files", Terraform "CLI configuration file".
"""

from __future__ import annotations

import configparser
import json
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from supervisor.discovery.found import Found, Place, host_of, listed, read

_TERRAFORM_HOST = re.compile(r'^\s*credentials\s+"([^"]+)"', re.MULTILINE)
_AWS = ("amazonaws.com",)
_GOOGLE = ("googleapis.com",)


def find(place: Place) -> Iterator[Found]:
    yield from _aws(place)
    yield from _gcloud(place)
    yield from _kubernetes(place)
    yield from _terraform(place)


def _aws(place: Place) -> Iterator[Found]:
    shared = place.named("AWS_SHARED_CREDENTIALS_FILE", ".aws", "credentials")
    for path in (shared, place.named("AWS_CONFIG_FILE", ".aws", "config")):
        file = read(path)
        if file is None:
            continue
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(file.text)
        except configparser.Error:
            continue
        named = {
            name.removeprefix("profile "): parser.get(name, "aws_access_key_id")
            for name in parser.sections()
            if parser.has_option(name, "aws_access_key_id")
        }
        if named:
            static = any(key.startswith("AKIA") for key in named.values())
            told = f"{listed(named)}: {'static key' if static else 'session key'}"
            yield Found("aws", path, told, hosts=_AWS, names=tuple(named), since=file.changed)
    cache = Path(place.home, ".aws", "sso", "cache")
    for path in map(str, sorted(cache.glob("*.json"))):
        content = _json(path)
        if content.get("accessToken"):
            start = host_of(str(content.get("startUrl", "")))
            expires = _moment(content.get("expiresAt"))
            yield Found("aws", path, f"sign-in at {start}", hosts=_AWS, expires=expires)


def _gcloud(place: Place) -> Iterator[Found]:
    given = place.environ.get("CLOUDSDK_CONFIG", "")
    folder = given or place.config("gcloud")
    default = os.path.join(folder, "application_default_credentials.json")
    named = place.environ.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    for path in dict.fromkeys((default, *([named] if named else []))):
        content = _json(path)
        if content:
            kind = str(content.get("type", "")).replace("_", " ")
            who = str(content.get("client_email") or content.get("account") or "")
            told = f"{kind} {who}".strip() or "credentials"
            yield Found("gcloud", path, told, hosts=_GOOGLE, since=_changed(path))
    accounts = os.path.join(folder, "credentials.db")
    if os.path.isfile(accounts):
        yield Found("gcloud", accounts, "gcloud's own log-in", hosts=_GOOGLE,
                    since=_changed(accounts))  # fmt: skip


def _kubernetes(place: Place) -> Iterator[Found]:
    given = [each for each in place.environ.get("KUBECONFIG", "").split(":") if each]
    for path in given or [os.path.join(place.home, ".kube", "config")]:
        file = read(path)
        if file is None:
            continue
        import yaml

        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            config = yaml.load(file.text, loader)  # noqa: S506 - a safe one
            users = [_named(each, "user") for each in config.get("users") or ()]
            clusters = [_named(each, "cluster") for each in config.get("clusters") or ()]
        except (yaml.YAMLError, AttributeError, TypeError, RecursionError):
            continue
        hosts = tuple(host_of(str(entry.get("server", ""))) for _, entry in clusters)
        told = [name for name, entry in users if entry]
        if told:
            yield Found("kubernetes", path, listed(told), hosts=hosts, names=tuple(told),
                        since=file.changed)  # fmt: skip


def _named(each: dict[str, Any], key: str) -> tuple[str, dict[str, Any]]:
    return str(each.get("name", "")), dict(each.get(key) or {})


def _terraform(place: Place) -> Iterator[Found]:
    tokens = os.path.join(place.home, ".terraform.d", "credentials.tfrc.json")
    hosts = tuple(map(str, dict(_json(tokens).get("credentials") or {})))
    if hosts:
        yield Found("terraform", tokens, listed(hosts), hosts=hosts, since=_changed(tokens))
    file = read(place.named("TF_CLI_CONFIG_FILE", ".terraformrc"))
    hosts = tuple(_TERRAFORM_HOST.findall(file.text)) if file else ()
    if file and hosts:
        yield Found("terraform", file.path, listed(hosts), hosts=hosts, since=file.changed)


def _json(path: str) -> dict[str, Any]:
    file = read(path)
    try:
        content = json.loads(file.text) if file else {}
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _moment(text: object) -> float:
    """RFC 3339; 0 where it is none."""
    try:
        return datetime.fromisoformat(
            str(text).replace("UTC", "Z").replace("Z", "+00:00")
        ).timestamp()
    except ValueError:
        return 0.0
