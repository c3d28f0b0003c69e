"""What a request would add to what its task has."""

from __future__ import annotations

from supervisor.approvals.differences import differences
from supervisor.effects.programs.shapes import push_effect
from supervisor.model import CredentialSpec, Effect, Grant, KillMode, Verb

POST = Effect(Verb.HTTP, "api.github.com", {"method": "POST", "path": "/repos"})
GITHUB = CredentialSpec("github", "stored", ("api.github.com", "github.com"))
OTHER = CredentialSpec("stripe", "stored", ("api.stripe.com",))


def grant(resource: str = "api.github.com", expires: float = 100.0) -> Grant:
    return Grant("g", "t", "github", resource, "stored", KillMode.WIRE, 0.1, 0.0, expires, uses=7)


def test_a_credential_the_task_does_not_have_there() -> None:
    told = differences([POST], "github", [], [GITHUB], 1.0)
    assert told == ("+ github at api.github.com", "has no grant")
    elsewhere = differences([POST], "github", [grant("github.com")], [GITHUB], 1.0)
    assert elsewhere == ("+ github at api.github.com", "has github at github.com (7 used)")


def test_one_it_has_is_nothing_new_until_it_ends() -> None:
    assert differences([POST], "github", [grant()], [GITHUB], 1.0) == (
        "has github at api.github.com (7 used)",
    )
    assert "+ github at api.github.com" in differences([POST], "github", [grant()], [GITHUB], 100.0)


def test_a_call_tells_what_its_requests_could_be_lent() -> None:
    push = push_effect("origin", "main", url="git@github.com:ana/app.git")
    told = differences([push, POST], "", [grant()], [GITHUB, OTHER], 1.0)
    assert told == (
        "+ github at github.com, for what its requests are allowed",
        "+ push origin main",
        "+ POST api.github.com/repos",
        "has github at api.github.com (7 used)",
    )


def test_many_grants_are_told_by_number() -> None:
    held = [grant(f"h{n}.example") for n in range(9)]
    assert differences([POST], "", held, [], 1.0)[-1].endswith("h3.example (7 used), 5 more")
