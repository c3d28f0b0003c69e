"""Services of the machine's loopback, as a person names them; and what goes by no proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.config import load_user_config
from supervisor.errors import ConfigError, UsageError
from supervisor.loopback import listed_port
from supervisor.model import Tier
from supervisor.tasks.network import proxy_exceptions, sockets_of


@pytest.mark.parametrize("text", ["5432", " 5432 ", "localhost:5432", "127.0.0.1:5432"])
def test_a_service_is_named_by_its_port(text: str) -> None:
    assert listed_port(text) == 5432


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "-1", "x", "5432x", "db.corp:5432", "10.0.0.1:5432", "٣", "3128", "53"],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        listed_port(text)


def test_the_configuration_lists_services(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[network]\nloopback = ["5432", "localhost:6379", 8000]\n')
    assert load_user_config(file).loopback == (5432, 6379, 8000)


@pytest.mark.parametrize("value", ['"5432"', '["db.corp:5432"]', "[0]", "[true]", "[1.5]"])
def test_a_wrong_list_is_refused_with_its_place(tmp_path: Path, value: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[network]\nloopback = {value}\n")
    with pytest.raises(ConfigError, match=r"config\.toml:2:1: network\.loopback"):
        load_user_config(file)


def test_the_agents_model_keeps_its_port_when_it_is_listed_too() -> None:
    made = sockets_of(Tier.A, [8080], [8080, 5432, 443])
    assert made["relay:8080"] == 8080
    assert made["listed:5432"] == 5432
    assert made["listed:443"] == 443
    assert "listed:8080" not in made
    assert "direct:443" not in made
    bound = [port for name, port in made.items() if port and name != "dns-tcp"]
    assert len(bound) == len(set(bound))


@pytest.mark.parametrize("hosts", [[], ["api.example"], ["gitlab.corp:443", "10.0.0.7:8443"]])
def test_a_tasks_own_servers_are_reached_without_the_proxy(hosts: list[str]) -> None:
    assert proxy_exceptions(hosts).split(",") == ["localhost", "127.0.0.1", "::1"]


@pytest.mark.parametrize("host", ["localhost", "localhost:8443", "127.0.0.1:9", "[::1]", "::1"])
def test_a_private_host_on_the_loopback_is_reached_by_the_proxy(host: str) -> None:
    assert proxy_exceptions(["api.example", host]) == ""
