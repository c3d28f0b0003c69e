"""The raw interfaces of forges: what `gh api` and `glab api` ask for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from supervisor.effects.programs.described import all_given
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word

_FIELDS = ("-f", "--raw-field", "-F", "--field", "--input")
# What others see at once, and what starts something that cannot be called back.
_POSTS = re.compile(
    r".*/(?:issues|pulls|merge_requests|comments|notes|discussions|reviews|replies|reactions|labels|"
    r"assignees|requested_reviewers|statuses|check-runs|rerun|rerun-failed-jobs|cancel|milestones)/?"
)
_PUBLISHES = re.compile(
    r".*/(?:merge|releases|dispatches|deployments|forks|pages|transfer|generate|trigger/pipeline)/?"
)
_CLONES = re.compile(
    r"-q|-b|-v|--depth(=\d+)?|--branch(=[\w./-]+)?|--single-branch|--quiet|--bare|--mirror"
)
_MUTATION = re.compile(r"\bmutation\b")


@reader
def gh_api(invocation: Invocation, words: Sequence[Word]) -> None:
    """`gh api ENDPOINT`: GET unless a method or a field says otherwise."""
    _api(invocation, words, "github")


@reader
def glab_api(invocation: Invocation, words: Sequence[Word]) -> None:
    """`glab api ENDPOINT`, as `gh api`."""
    _api(invocation, words, "gitlab")


def _api(invocation: Invocation, words: Sequence[Word], system: str) -> None:
    given = all_given(invocation, words)
    if len(given.operands) != 1 or not given.operands[0].exact:
        invocation.opaque("asks for what is only known when it runs")
        return
    endpoint = given.operands[0].text
    method = given.value("--method")
    if method is not None and not method.exact:
        invocation.opaque("uses a method that is only known when it runs")
    name = method.text.upper() if method else "POST" if given.has(*_FIELDS) else "GET"
    if "://" in endpoint:
        invocation.url(given.operands[0], name)
    path = endpoint.partition("?")[0].removeprefix("/")
    invocation.operate(system, f"{name} {path}", _degree(name, path, given))


def _degree(method: str, path: str, given: Given) -> str:
    if method in {"GET", "HEAD"}:
        return "read"
    if path == "graphql":
        return "change" if _mutates(given) else "read"
    if method == "DELETE":
        return "destroy"
    if _PUBLISHES.fullmatch(path):
        return "publish"
    return "post" if method == "POST" and _POSTS.fullmatch(path) else "change"


def _mutates(given: Given) -> bool:
    """Whether a GraphQL request may change something: one that cannot be read may."""
    if given.has("--input"):
        return True
    queries = [
        value
        for option, value in given.options
        if value is not None and option.names[0] in _FIELDS and value.text.startswith("query=")
    ]
    return not queries or any(
        not query.exact or query.text.startswith("query=@") or _MUTATION.search(query.text)
        for query in queries
    )


@reader
def clone_directory(invocation: Invocation, words: Sequence[Word]) -> None:
    """`gh repo clone REPOSITORY [DIRECTORY] [-- OPTION…]`: git's options may name programs."""
    (word,) = words
    if word.exact and not word.text.startswith("-"):
        invocation.write(word)
    elif not _CLONES.fullmatch(word.text):
        invocation.opaque("gives options to git clone")
