"""What is tried on a way around an agent's hooks, and how each has to end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.live import ApiServer, Install
from tests.support.supervised import Supervised

Prepare = Callable[[Install], None]


def use(api: ApiServer) -> str:
    """A command that gets a credential where it runs under a call."""
    bearer = '-H "Authorization: Bearer $API_TOKEN"'
    return f"touch ran; curl -sS -m 10 --noproxy '' {bearer} https://{api.host}/me"


def refused(api: ApiServer) -> str:
    """As `use`, and policy refuses it once it is announced."""
    return f"{use(api)}; sudo -n true"


async def ends_without_a_credential(supervised: Supervised, api: ApiServer) -> None:
    """It ran, asked for the API, and was refused on record as nobody's request."""
    assert (supervised.install.project / "ran").exists()
    assert api.seen == []
    asked = f"GET {api.host}/me"
    uses = [each for each in await supervised.records("use.denied") if each["effect"] == asked]
    assert {each["code"] for each in uses} == {"not_attested"}
    assert await supervised.records("call.opened", "use.intent") == []


async def is_refused_as_announced(supervised: Supervised, api: ApiServer) -> None:
    """The hook held: `refused` was announced, refused on record, and did not run."""
    (denied,) = await supervised.records("call.denied")
    assert "sudo" in denied["preview"]
    assert not (supervised.install.project / "ran").exists()
    assert api.seen == []


def settings(place: str, text: str | dict[str, Any]) -> Prepare:
    """A file of settings; `place` begins with {home} or {project}."""

    def write(install: Install) -> None:
        file = Path(place.format(home=install.home, project=install.project))
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as opened:
            opened.write(text if isinstance(text, str) else json.dumps(text))

    return write


def nothing(install: Install) -> None:
    """Of settings nothing is changed."""


def merged(place: str, **more: Any) -> Prepare:
    """More in a JSON file of settings that is there."""

    def write(install: Install) -> None:
        file = Path(place.format(home=install.home, project=install.project))
        file.write_text(json.dumps(json.loads(file.read_text()) | more))

    return write


def environment(**variables: str) -> Prepare:
    """Variables that the person has."""

    def write(install: Install) -> None:
        install.environ.update(variables)

    return write
