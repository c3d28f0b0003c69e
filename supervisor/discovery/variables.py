"""Variables of the terminal that look like secrets, by name or by the known beginning of a value.

Not those with which an agent logs in to its model: they stay the agent's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from supervisor.discovery.found import Found, Place, listed
from supervisor.vault.surrogate import PREFIXES

_NAME = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY|API_KEY|ACCESS_KEY|SECRET_KEY"
    r"|PRIVATE_KEY|CREDENTIALS?|PAT|DSN)(_|$)"
)
_MODELS = re.compile(r"^(ANTHROPIC|OPENAI|CODEX|CLAUDE|GEMINI|OPENROUTER|AZURE_OPENAI)_")
_SHORTEST = 8  # characters; a shorter one is a switch or a number


def find(place: Place) -> Iterator[Found]:
    names = tuple(secret_names(place.environ))
    if names:
        yield Found("environment", "", listed(names), names=names)


def secret_names(variables: Mapping[str, str]) -> Iterator[str]:
    """Names of the variables that hold a secret, by all that can be seen."""
    for name, value in sorted(variables.items()):
        if len(value) < _SHORTEST or name.startswith("TASKPASS_") or _MODELS.match(name):
            continue
        if _NAME.search(name.upper()) or value.startswith(PREFIXES):
            yield name
