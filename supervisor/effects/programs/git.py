"""Git: remotes and refspecs, and checkouts that can lose work."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.described import all_given
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.repository import Repository, find_repository
from supervisor.effects.programs.roles import resolve
from supervisor.effects.programs.shapes import push_effect
from supervisor.effects.reading import Word
from supervisor.effects.remotes import place
from supervisor.model import Effect, Verb

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_HELPER = re.compile(r"[A-Za-z][\w+.-]*::")
_SCP = re.compile(r"(?![A-Za-z]:[\\/])((?:[^@/:\s]+@)?[^/:\s]+):(?!:)(.*)", re.DOTALL)
_PORTS = {"ssh": "22", "git+ssh": "22", "ssh+git": "22", "git": "9418", "ftp": "21", "ftps": "990"}
# Branches that others build on, and names under which things are released.
_PROTECTED = re.compile(
    r"main|master|trunk|develop|prod|production|stable|staging|(?:prod|production|release|releases|"
    r"stable|hotfix)[-/_.].*|releases?|refs/tags/.*|v?\d+(?:\.\d+)+\S*|v\d+",
    re.IGNORECASE,
)
_WHOLE_TREE = frozenset({".", "./", "..", "../", ":/", ":", "*", "**", "./*", ":/*", "/"})


# ── Remotes ─────────────────────────────────────────────────────────────────────────────


@reader
def git_clone(invocation: Invocation, words: Sequence[Word]) -> None:
    """`git clone [OPTION…] SOURCE [DIRECTORY]`."""
    operands = all_given(invocation, words).operands
    if not operands:
        return
    _reach(invocation, operands[0], path=True)
    if len(operands) > 1:
        invocation.write(operands[1])
    elif operands[0].exact:
        name = re.split(r"[/:]", operands[0].text.rstrip("/").removesuffix("/.git"))[-1]
        name = name.removesuffix(".git").removesuffix(".bundle")
        suffix = ".git" if invocation.given.has("--bare", "--mirror") else ""
        invocation.write(Word(name + suffix))
    if len(operands) > 2:
        invocation.unknown(f"does not know what the word {operands[2].text} is for")


@reader
def git_fetch(invocation: Invocation, words: Sequence[Word]) -> None:
    """`git fetch|pull|ls-remote [OPTION…] [REMOTE [REF…]]`."""
    given = all_given(invocation, words)
    remotes = given.operands if given.has("--multiple") else given.operands[:1]
    for remote in remotes:
        _reach(invocation, remote)


@reader
def git_remote_add(invocation: Invocation, words: Sequence[Word]) -> None:
    """`git remote add [-f] NAME URL`: nothing goes out before a fetch or push."""
    given = all_given(invocation, words)
    if len(given.operands) != 2:
        invocation.opaque("adds a remote in a form that is not known")
    elif given.has("-f", "--fetch") or _HELPER.match(given.operands[1].text):
        _reach(invocation, given.operands[1])
    elif not given.operands[1].exact:
        invocation.opaque("adds a remote at an address that is only known when it runs")


def _reach(invocation: Invocation, word: Word, *, path: bool = False) -> None:
    """Commits are read from `word`: an address, or the name of a remote; with `path` no name."""
    text = word.text
    scheme = _SCHEME.match(text)
    if not word.exact:
        invocation.opaque("reads from a place that is only known when it runs")
    elif _HELPER.match(text):
        invocation.opaque(f"reads through the helper of {text}, which can run a program")
    elif scheme and scheme[1].lower() in {"http", "https", "file"}:
        invocation.url(word)
    elif scheme:
        port = _PORTS.get(scheme[1].lower(), "")
        _connect(invocation, replace(word, text=scheme[2].partition("/")[0]), port, text)
    elif (copied := _SCP.fullmatch(text)) is not None:
        _connect(invocation, replace(word, text=copied[1]), "22", text)
    elif path or text.startswith(("/", ".", "~")):
        invocation.read(word)
    else:
        repository = repository_of(invocation)
        address = repository.settings.get(f"remote.{text}.url", "") if repository else ""
        if _HELPER.match(address):
            invocation.opaque(f"reads through the helper of {address}, which can run a program")


def _connect(invocation: Invocation, host: Word, port: str, address: str) -> None:
    """A connection, which tells whose repository it is for: some lead elsewhere in a task."""
    before = len(invocation.reading.effects)
    invocation.host(host, port)
    made = invocation.reading.effects[before:]
    if port == "22" and len(made) == 1 and made[0].verb is Verb.CONNECT:
        invocation.reading.effects[before] = replace(made[0], attributes={"git": place(address)})


@reader
def git_push(invocation: Invocation, words: Sequence[Word]) -> None:
    """`git push [OPTION…] [REMOTE [REFSPEC…]]`: one push for each ref that is named."""
    given = all_given(invocation, words)
    if given.has("-n", "--dry-run"):
        return
    operands = given.operands
    named = operands[0] if operands else given.value("--repo")
    if any(not word.exact for word in (named, *operands) if word is not None):
        invocation.opaque("pushes to a place that is only known when it runs")
    repository = repository_of(invocation) or Repository()
    branch = _branch(invocation, repository)
    remote = named.text if named else _default_remote(repository, branch)
    if _HELPER.match(remote):
        invocation.opaque(f"pushes through the helper of {remote}, which can run a program")
    url, foreign = _address(invocation, repository, remote)
    default = repository.default_branch(remote)
    every = given.has("--all", "--branches", "--mirror", "--prune")
    tags = given.has("--tags", "--follow-tags")
    force = given.has("-f", "--force", "--mirror")
    checked = given.has("--force-with-lease") and not force
    delete = given.has("-d", "--delete", "--mirror", "--prune")
    refspecs = [word.text for word in operands[1:]]
    if not refspecs and not (every or given.has("--tags")):
        refspecs = [_own_refspec(repository, remote, branch)]
    if every or tags:
        refspecs.append("refs/tags/*" if tags and not every else "*")
    for refspec in refspecs:
        pushed = refspec.removeprefix("+")
        source, colon, target = pushed.partition(":")
        ref = _ref_name(target if colon else source, branch)
        several = "*" in ref or pushed == ":"
        invocation.add(
            push_effect(
                remote,
                ref,
                url=url,
                force=force or checked or refspec.startswith("+"),
                checked=checked and not refspec.startswith("+"),
                delete=delete or (colon == ":" and not source and bool(target)),
                protected=several or ref == default or protected(ref),
                several=several,
                foreign=foreign,
            )
        )


def protected(ref: str) -> bool:
    """Whether others build on a branch of this name, or it names a release."""
    return _PROTECTED.fullmatch(ref) is not None


def _default_remote(repository: Repository, branch: str) -> str:
    settings = repository.settings
    return (
        settings.get(f"branch.{branch}.pushremote")
        or settings.get("remote.pushdefault")
        or settings.get(f"branch.{branch}.remote")
        or "origin"
    )


def _own_refspec(repository: Repository, remote: str, branch: str) -> str:
    """What is pushed when nothing is named."""
    settings = repository.settings
    own = settings.get(f"remote.{remote}.push")
    if own:
        return own
    match settings.get("push.default", "simple"):
        case "matching":
            return ":"
        case "upstream" | "tracking":
            return settings.get(f"branch.{branch}.merge") or "HEAD"
        case _:
            return "HEAD"


def _ref_name(ref: str, branch: str) -> str:
    """`refs/heads/x` → `x`, `HEAD` → the current branch, "" (all that match) → `*`."""
    if ref in {"HEAD", "@"}:
        return branch or "HEAD"
    return ref.removeprefix("refs/heads/").removeprefix("heads/") or "*"


def _address(invocation: Invocation, repository: Repository, remote: str) -> tuple[str, bool]:
    """The URL of `remote`, and whether it is none that the repository had before the call."""
    if _SCHEME.match(remote) or _SCP.fullmatch(remote) or "/" in remote or _HELPER.match(remote):
        known = {repository.push_url(name) for name in repository.remotes}
        return _without_password(remote), remote not in known
    for effect in _earlier(invocation, "remote add", "remote set-url", "remote rename", "config"):
        arguments = str(effect.attributes["arguments"]).split()
        if any(remote in re.split(r"[.=]", argument) for argument in arguments):
            return _without_password(arguments[-1]), True
    if not repository.remotes:
        return "", remote != "origin"
    return _without_password(repository.push_url(remote)), remote not in repository.remotes


def _branch(invocation: Invocation, repository: Repository) -> str:
    """The branch that is checked out when it runs: an earlier part of the call may change it."""
    branch = repository.branch
    for effect in _earlier(invocation, "checkout", "switch"):
        words = str(effect.attributes["arguments"]).split()
        if "--" not in words:
            names = [word for word in words[1:] if not word.startswith("-")]
            branch = names[0] if names else branch
    return branch


def _earlier(invocation: Invocation, *subcommands: str) -> list[Effect]:
    """Runs of git before this one in the same call."""
    return [
        effect
        for effect in invocation.reading.effects
        if effect.verb is Verb.RUN
        and effect.resource == "git"
        and effect.attributes["subcommand"] in subcommands
    ]


def _without_password(url: str) -> str:
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def repository_of(invocation: Invocation) -> Repository | None:
    """The repository it works on, None when that is not the one of its working directory."""
    if invocation.given.has("--git-dir") or invocation.where.elsewhere:
        return None
    return find_repository(invocation.where.cwd)


# ── Work that can be lost ───────────────────────────────────────────────────────────────


@reader
def git_checkout(invocation: Invocation, words: Sequence[Word]) -> None:
    """Changing branches loses nothing; files that are checked out replace what was changed."""
    given = all_given(invocation, words)
    if given.has("-f", "--force"):
        invocation.act = "discard"
    if given.has("-b", "-B", "--orphan", "-d", "--detach", "-t", "--track"):
        return
    operands = given.operands
    texts = [word.text for word in words]
    if "--" in texts:
        paths = list(words[texts.index("--") + 1 :])
    elif given.has("--ours", "--theirs", "-m", "--merge", "--conflict") and operands:
        paths = [word for word in operands if word.text != "HEAD"]
    else:
        paths = [word for index, word in enumerate(operands) if index or _is_path(invocation, word)]
        if operands and not operands[0].exact:
            invocation.opaque("checks out what is only known when it runs")
    if given.has("--pathspec-from-file"):
        invocation.act = "discard"
    _replaced(invocation, paths)


@reader
def git_restore(invocation: Invocation, words: Sequence[Word]) -> None:
    """Files are replaced, unless only the index is."""
    given = all_given(invocation, words)
    if given.has("-S", "--staged") and not given.has("-W", "--worktree"):
        return
    if given.has("--pathspec-from-file"):
        invocation.act = "discard"
    _replaced(invocation, given.operands)


def _is_path(invocation: Invocation, word: Word) -> bool:
    """Whether the only word of a checkout names files and not a branch."""
    text = word.text
    if text in _WHOLE_TREE or text.startswith(("./", "../", "/", ":")) or word.glob:
        return True
    cwd = invocation.where.cwd
    return bool(cwd) and "/" not in text[:1] and os.path.lexists(os.path.join(cwd, text))


def _replaced(invocation: Invocation, paths: Sequence[Word]) -> None:
    """Changes in `paths` that are not committed are lost; in the whole tree, that is a discard."""
    for word in paths:
        if not word.exact:
            invocation.opaque("replaces files that are only known when it runs")
        elif word.text.startswith((":!", ":^")):
            continue
        elif word.text in _WHOLE_TREE or word.text.startswith(":") or _is_root(invocation, word):
            invocation.act = "discard"
        else:
            invocation.clear(word)


def _is_root(invocation: Invocation, word: Word) -> bool:
    where = invocation.where
    if not where.cwd and not word.text.startswith("/"):
        return False
    return resolve(word.text, where.cwd) == where.place.workspace


@reader
def git_diff(invocation: Invocation, words: Sequence[Word]) -> None:
    """Revisions and paths of the repository; outside of it, or when told so, any two files."""
    given = all_given(invocation, words)
    plain = any(word.text == "--no-index" for word in words)
    for word in given.operands:
        if plain or word.text.startswith("/") or ".." in word.text.split("/"):
            invocation.read(word)
