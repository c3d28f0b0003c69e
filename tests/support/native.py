"""Hook inputs as agents really post them (`tests/vectors/native`), and the same with other values.

Each file is one input of one agent:

    {"agent": …, "version": …, "source": "recorded" | "documented", "event": …, "body": …}

`body` is the text of the HTTP request's body as it came, `event` the last part of its address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors" / "native"


@dataclass(frozen=True, slots=True)
class Native:
    """One input of an agent's hook, as it was posted."""

    agent: str  # the profile's name
    version: str
    source: str  # "recorded" from the program itself, or as its makers document it
    event: str  # the address it is posted to ends with this
    body: str

    def fields(self) -> dict[str, Any]:
        """What the body says."""
        told: dict[str, Any] = json.loads(self.body)
        return told

    def saying(self, fields: Mapping[str, Any]) -> bytes:
        """The same input with these fields in place of its own: in its order, in its style."""
        told = self.fields()
        assert fields.keys() <= told.keys(), f"{self.agent} does not send {fields.keys()}"
        return json.dumps(told | fields, ensure_ascii=False, separators=self._separators()).encode()

    def _separators(self) -> tuple[str, str]:
        compact = json.dumps(self.fields(), ensure_ascii=False, separators=(",", ":"))
        return (",", ":") if compact == self.body else (", ", ": ")


def path_of(agent: str, name: str) -> Path:
    """Where the input called `name` is kept; `name` is the event and the tool."""
    return FOLDER / agent / f"{name}.json"


def native(agent: str, name: str) -> Native:
    """One recorded input."""
    return Native(**json.loads(path_of(agent, name).read_text("utf-8")))


def keep(name: str, recorded: Native) -> None:
    """Write one recorded input."""
    path = path_of(recorded.agent, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(recorded), indent=1, ensure_ascii=False) + "\n", "utf-8")


_NAMES = ("hook_event_name", "tool_name", "toolName", "method")


def shape(told: Mapping[str, Any]) -> dict[str, Any]:
    """The names of all fields; of texts only those that name an event or a tool."""
    return {
        name: shape(value) if isinstance(value, dict) else (value if name in _NAMES else None)
        for name, value in told.items()
    }
