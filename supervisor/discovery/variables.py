"""Variables of the terminal that look like secrets, by name or by the known beginning of a value.

Those that are good at a host that is known (`imports.classify`) can be lent. Not those with which
an agent logs in to its model: they stay the agent's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from supervisor.discovery.found import Found, Place, Way, listed
from supervisor.imports.classify import classify
from supervisor.vault.surrogate import PREFIXES

_NAME = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY|API_KEY|ACCESS_KEY|SECRET_KEY"
    r"|PRIVATE_KEY|CREDENTIALS?|PAT|DSN)(_|$)"
)
_MODELS = re.compile(r"^(ANTHROPIC|OPENAI|CODEX|CLAUDE|GEMINI|OPENROUTER|AZURE_OPENAI)_")
_SHORTEST = 8  # characters; a shorter one is a switch or a number


def find(place: Place) -> Iterator[Found]:
    rest = []
    for name in secret_names(place.environ):
        provider = classify(name, place.environ[name]).provider
        if provider is None:
            rest.append(name)
            continue
        yield Found(
            "environment",
            "",
            provider.name,
            Way.REFERENCE,
            hosts=provider.hosts,
            names=(name,),
            reference=f"env://{name}",
            header=provider.header,
            scheme=provider.scheme,
        )
    if rest:
        yield Found("environment", "", listed(rest), names=tuple(rest))


def secret_names(variables: Mapping[str, str]) -> Iterator[str]:
    """Names of the variables that hold a secret, by all that can be seen."""
    for name, value in sorted(variables.items()):
        if len(value) < _SHORTEST or name.startswith("TASKPASS_") or _MODELS.match(name):
            continue
        if _NAME.search(name.upper()) or value.startswith(PREFIXES):
            yield name
