"""Whatever is done, each agent's own words for it have the same effects, to the last attribute.

The forms are those of `test_same_decision.py`; here a call's values are drawn.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles import find
from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import Effect, Verb
from tests.support.native_forms import FORMS, Form, Said
from tests.support.sixty_calls import Doing, Edit, Fetch, Mcp, Read, Shell, Spawn, Write

_WORK, _HOME = "/home/ana/shop", "/home/ana"
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)
LINE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)
NAME = st.text(st.characters(categories=("L", "N"), include_characters="._-"), min_size=1)
PATH = st.builds(
    lambda place, parts: "/".join((place, *parts)),
    st.sampled_from((_WORK, _HOME, "/etc", "/tmp", "/proc/self", f"{_WORK}/..", f"{_HOME}/.ssh")),
    st.lists(NAME | st.sampled_from((".env", ".git", "..", ".github/workflows")), min_size=1),
)
PIECES = (
    "git push --force", "rm -rf", "cat", "curl", "~/.ssh/id_rsa", "src", "&&", "|", "; ", "\n",
    "$(", ")", "`", "'", '"', "<<EOF\n", "\nEOF", "$HOME", "*", ">", "é", "\\", "#",
)  # fmt: skip
COMMAND = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map(" ".join) | TEXT.filter(
    bool
)
URL = st.builds(
    lambda host, path: f"https://{host}/{path}",
    st.sampled_from(("example.com", "169.254.169.254", "localhost:8080", "API.GitHub.com")),
    st.text("abcABC09/._-%?=&", max_size=20),
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | PATH | URL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(
    TEXT | st.sampled_from(("path", "url", "sql", "file")), VALUE, max_size=4
)
TOOL = st.sampled_from(("get_file", "create_issue", "list", "browser_navigate", "execute_sql"))

DRAWN = {
    Shell: st.builds(Shell, COMMAND),
    Read: st.builds(Read, PATH),
    Write: st.builds(Write, PATH, st.lists(LINE, min_size=1).map(lambda n: "\n".join(n) + "\n")),
    Edit: st.builds(Edit, PATH, LINE, LINE),
    Fetch: st.builds(Fetch, URL),
    Mcp: st.builds(Mcp, st.sampled_from(("tracker", "db")), TOOL, ARGUMENTS),
    Spawn: st.builds(Spawn, LINE),
}


def _effects(form: Form, doing: Doing) -> tuple[Effect, ...] | None:
    """What its adapter makes of it, but for running the program that stands in for a tool; None
    when the input is refused as malformed."""
    said = form.say(doing, _WORK)
    assert isinstance(said, Said)
    try:
        call = find([], form.agent).parse_hook(json.loads(said.body)).call
    except ValueError:
        return None
    assert call is not None
    found = effects_of(call, Place.of(_WORK, _HOME))
    return tuple(e for e in found if not (e.verb is Verb.RUN and e.resource == said.carrier))


@pytest.mark.parametrize("kind", DRAWN, ids=lambda kind: kind.__name__.lower())
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_the_same_call_has_the_same_effects(kind: type[Doing], data: st.DataObject) -> None:
    doing = data.draw(DRAWN[kind])
    first, *others = [form for form in FORMS if isinstance(form.say(doing, _WORK), Said)]
    wanted = _effects(first, doing)
    for form in others:
        assert _effects(form, doing) == wanted, form.agent
