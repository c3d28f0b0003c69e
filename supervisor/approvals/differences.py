"""What a request would add to what its task may do already. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from supervisor.effects.remotes import place
from supervisor.model import CredentialSpec, Effect, Grant, Verb

_MOST = 4  # grants that are named; the screen lists all


def differences(
    effects: Sequence[Effect],
    credential: str,
    grants: Iterable[Grant],
    specs: Iterable[CredentialSpec],
    now: float,
) -> tuple[str, ...]:
    """In words, one line each: first what it adds ("+ …"), then what the task has.

    Args:
        effects: what is asked about.
        credential: that this very request would be lent, "" for none.
        grants: the task's.
        specs: what could be lent to a call that goes to their hosts.
    """
    live = [grant for grant in grants if grant.expires > now]
    held = {(grant.credential, grant.resource) for grant in live}
    wanted: dict[tuple[str, str], str] = {}
    if credential:
        wanted[credential, effects[0].resource] = f"+ {credential} at {effects[0].resource}"
    else:
        hosts = [host for effect in effects if (host := _host(effect))]
        for spec in specs:
            for host in hosts:
                if host in spec.hosts:
                    words = f"+ {spec.name} at {host}, for what its requests are allowed"
                    wanted[spec.name, host] = words
    added = [words for key, words in wanted.items() if key not in held]
    added += [f"+ {effect.label}" for effect in effects if not credential]
    has = [f"{grant.credential} at {grant.resource} ({grant.uses} used)" for grant in live[:_MOST]]
    if len(live) > _MOST:
        has.append(f"{len(live) - _MOST} more")
    return (*dict.fromkeys(added), "has " + (", ".join(has) or "no grant"))


def _host(effect: Effect) -> str:
    """The host it goes to, as credentials name it; "" for none."""
    if effect.verb is Verb.HTTP:
        return effect.resource.lower()
    if effect.verb is Verb.PUSH:
        return place(str(effect.attributes.get("url", ""))).partition("/")[0]
    return ""
