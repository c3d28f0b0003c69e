"""A push as effects: one for each ref that the request to `git-receive-pack` would change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from supervisor import procfs
from supervisor.channels.git import receive_pack
from supervisor.channels.git.ancestry import adds_to
from supervisor.channels.git.receive_pack import Command, Push, Unreadable
from supervisor.channels.http.message import RequestHead
from supervisor.channels.http.peek import Look, Peeked, Said
from supervisor.effects.programs.git import protected
from supervisor.effects.programs.repository import Repository, find_repository
from supervisor.effects.programs.shapes import operate_effect, push_effect
from supervisor.effects.remotes import place
from supervisor.model import Effect, Process

_SERVICE = "/git-receive-pack"
_PROBE = b"0000"  # asks whether a push would be taken, before a long one
_BRANCHES = "refs/heads/"


def _wants(head: RequestHead) -> int:
    return receive_pack.LIMIT if head.method == "POST" else 0


def _read(head: RequestHead, target: str, body: Peeked) -> Said:
    """Each ref as if it were pushed by force, to a protected branch of a remote nobody knows."""
    if head.method != "POST":
        return Said()
    path = target.partition("?")[0].removesuffix(_SERVICE)
    try:
        push = receive_pack.parse(body.data)
        if not push.commands and (body.data, body.complete) != (_PROBE, True):
            raise Unreadable("it pushes nothing, and sends something")
    except Unreadable:
        strictest = push_effect(
            path, "*", force=True, delete=True, protected=True, several=True, foreign=True
        )
        return Said({"push": True}, (strictest,))
    return Said({"push": True}, tuple(_effects(path, push)))


def _effects(path: str, push: Push) -> list[Effect]:
    found = [_effect(path, command) for command in push.commands]
    found += [operate_effect("git", f"push option {text}", "change", path) for text in push.options]
    return found


def _effect(path: str, command: Command) -> Effect:
    effect = push_effect(
        path,
        command.ref.removeprefix(_BRANCHES),
        force=command.old is not None,
        delete=command.new is None,
        protected=True,
        foreign=True,
    )
    told = {"full": command.ref, "old": command.old or "", "new": command.new or ""}
    return replace(effect, attributes={**effect.attributes, **told})


def _known(said: Said, host: str, sender: Sequence[Process]) -> Said:
    """What the repository it is pushed from tells besides: its remotes, and its commits.

    The task can write there. So force is ruled out by proof only; and to know a remote is to be
    asked about it, not to be allowed it.
    """
    if not any("full" in effect.attributes for effect in said.further):
        return said
    repository = _repository(sender)
    return Said(said.attributes, tuple(_told(each, host, repository) for each in said.further))


def _told(effect: Effect, host: str, repository: Repository) -> Effect:
    attributes = effect.attributes
    ref = str(attributes.get("ref", ""))
    url = f"https://{host}{attributes.get('remote', '')}"
    if "full" not in attributes:
        return effect
    names = [n for n in repository.remotes if place(repository.push_url(n)) == place(url)]
    force = bool(attributes["force"]) and not _only_adds(effect, repository)
    return push_effect(
        url,
        ref,
        url=url,
        force=force,
        delete=bool(attributes["delete"]),
        protected=protected(ref) or any(ref == repository.default_branch(n) for n in names),
        foreign=not names,
    )


def _only_adds(effect: Effect, repository: Repository) -> bool:
    attributes = effect.attributes
    if not str(attributes["full"]).startswith(_BRANCHES) or not attributes["new"]:
        return False  # tags and the like are not moved at all
    objects = os.path.join(repository.directory, "objects")
    return adds_to(objects, str(attributes["old"]), str(attributes["new"]))


def _repository(sender: Sequence[Process]) -> Repository:
    """The one that the nearest of these processes works in, seen as that process sees it."""
    for process in sender[:3]:  # git-remote-https, git, what runs git
        try:
            cwd = os.readlink(f"/proc/{process.pid}/cwd")
        except OSError:
            continue
        for root in (f"/proc/{process.pid}/root", ""):
            found = find_repository(root + cwd)
            if found is not None and procfs.lives(process):
                return found
    return Repository()


LOOK = Look(_wants, _read, _known)
