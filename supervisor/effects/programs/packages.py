"""Package managers: what is added, what a lock file names already, and whose code runs."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from supervisor.effects.files import within
from supervisor.effects.knowledge import knowledge
from supervisor.effects.programs.described import all_given, take
from supervisor.effects.programs.generic import apply_given
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import resolve
from supervisor.effects.reading import Word
from supervisor.model import Effect, Verb

_LOCAL = re.compile(
    r"(?:\.{1,2}(?:/|\[|$)|/|~/|file:|link:|portal:|workspace:|(?!.*://).*\.(?:whl|tgz|tar\.gz|gem|nupkg)$).*",
    re.DOTALL,
)
_EVERYWHERE = ("-g", "--global", "--user", "--system", "--break-system-packages", "--user-install")
_CODE = re.compile(r".*\.(?:[cm]?[jt]sx?|py|rb|html)|\.{0,2}/.*")
_VERSION = re.compile(r"(@?[^@]+)@(.*)", re.DOTALL)
_ADDRESS = re.compile(r"[a-z+]+:|https?://|git@|(?!@)[^@/\s]+/[^@/\s]+", re.IGNORECASE)
_MANAGERS = {"npx": "npm", "pnpx": "npm", "pnpm": "npm", "yarn": "npm", "bun": "npm", "bunx": "npm"}
_MANAGERS |= {"uvx": "uv"}
# Packages whose program is called otherwise, where that is well known.
_PROGRAMS = {
    "@angular/cli": "ng",
    "@biomejs/biome": "biome",
    "@changesets/cli": "changeset",
    "@commitlint/cli": "commitlint",
    "@mermaid-js/mermaid-cli": "mmdc",
    "@nestjs/cli": "nest",
    "@playwright/test": "playwright",
    "@redocly/cli": "redocly",
    "@stoplight/spectral-cli": "spectral",
    "@tailwindcss/cli": "tailwindcss",
    "@vue/cli": "vue",
    "typescript": "tsc",
}
_PACKAGE_OPTIONS = frozenset({"-p", "--package", "--from", "--spec", "--with"})
_MAX_BYTES = 512 * 1024  # of a package.json


# ── Adding ──────────────────────────────────────────────────────────────────────────────


@reader
def packages(invocation: Invocation, words: Sequence[Word]) -> None:
    """`install [NAME…]`: without a name, what the workspace's own files list is refreshed.

    A path is the project's own code; so is what is taken from a directory (`--no-index`).
    """
    given = all_given(invocation, words)
    named = []
    for word in given.operands:
        if word.exact and _LOCAL.fullmatch(word.text):
            path = re.sub(r"^(?:file|link|portal|workspace):|\[.*\]$", "", word.text)
            own_file(invocation, replace(word, text=path or "."))
        else:
            named.append(word)
    invocation.everywhere = invocation.everywhere or given.has(*_EVERYWHERE)
    if named and not given.has("--no-index", "--offline"):
        invocation.act = "install"
        for word in named:
            invocation.install(word)
    elif given.operands or given.has("-e", "--editable"):
        invocation.act = "project"
    elif not invocation.everywhere or given.has("-r", "--requirement"):
        invocation.act = "update"
    else:
        invocation.act = "install"


@reader
def initializer(invocation: Invocation, words: Sequence[Word]) -> None:
    """`npm init [INITIALIZER]`: the initializer is the package `create-INITIALIZER`."""
    given = all_given(invocation, words)
    if not given.operands:
        invocation.write(Word("package.json"))
        return
    word = given.operands[0]
    match = _VERSION.fullmatch(word.text)
    name, version = (match[1], "@" + match[2]) if match else (word.text, "")
    if name.startswith("@"):
        scope, slash, rest = name.partition("/")
        name = f"{scope}/create-{rest}" if slash else f"{scope}/create"
    elif not _ADDRESS.match(name):
        name = f"create-{name}"
    invocation.act = "install"
    invocation.install(replace(word, text=name + version))


@reader
def package_runner(invocation: Invocation, words: Sequence[Word]) -> None:
    """`npx NAME WORD…`: runs a program of the project's packages, or of one that it fetches.

    A name that stands alone is taken for the program of that name, which is judged as such; one
    with a version, an address, or a leave to fetch (`--yes`, `--package`) is an installation.
    """
    given = all_given(invocation, words)
    program = invocation.program
    invocation.manager = _MANAGERS.get(program, program)
    named = [
        value
        for option, value in given.options
        if value is not None
        and not _PACKAGE_OPTIONS.isdisjoint(option.names)
        and "--python" not in option.names
    ]
    for package in named:
        invocation.act = "install"
        invocation.install(package)
    if not given.operands:
        return
    word, *rest = given.operands
    if not word.exact:
        invocation.opaque("runs a package that is only known when it runs")
        return
    if word.text.startswith(("/", "./", "../")):
        invocation.run([word, *rest])
        return
    match = _VERSION.fullmatch(word.text)
    name = match[1] if match else word.text
    fetches = invocation.table.act == "install" or given.has("-y", "--yes")
    unnamed = name not in _PROGRAMS and (name.startswith("@") or _ADDRESS.match(name))
    if not named and (fetches or match or unnamed):
        invocation.act = "install"
        invocation.install(word)
    if _ADDRESS.match(name):
        invocation.opaque(f"runs what it fetches from {name}")
        return
    name = _PROGRAMS.get(name) or name.rpartition("/")[2]
    invocation.run([replace(word, text=name), *rest])


@reader
def script_or_address(invocation: Invocation, words: Sequence[Word]) -> None:
    """A program text in a file of the workspace, or at an address."""
    given = all_given(invocation, words)
    if not given.operands:
        return
    word = given.operands[0]
    if re.match(r"(?:[a-z]{2,}:|-$)", word.text) or not word.exact:
        if word.text.startswith("http"):
            invocation.url(word)
        invocation.opaque(f"runs the program at {word.text}")
        return
    own_file(invocation, word)


@reader
def environment_run(invocation: Invocation, words: Sequence[Word]) -> None:
    """`uv run PROGRAM WORD…`: a program that we do not know is one of the project's environment."""
    given = all_given(invocation, words)
    if given.value("--with") is not None:
        invocation.act = "install"
    rest = list(given.operands)
    module = given.value("--module") if "--module" in invocation.table.options else None
    if module is not None:
        rest = [Word("python"), Word("-m"), module, *rest]
    elif rest and rest[0].exact and rest[0].text.endswith(".py"):
        rest.insert(0, Word("python"))
    start = len(invocation.reading.effects)
    invocation.run(rest)
    effects = invocation.reading.effects
    first = effects[start] if len(effects) > start else None
    unknown = first is not None and first.verb is Verb.RUN and not first.attributes["known"]
    if unknown and "/" not in rest[0].text:
        _count_as_own(effects, start)


# ── The project's own scripts ───────────────────────────────────────────────────────────


@reader
def package_script(invocation: Invocation, words: Sequence[Word]) -> None:
    """`npm run NAME`: the text in package.json is judged; without one it is the project's code."""
    given = all_given(invocation, words)
    if given.operands:
        _script(invocation, given.operands[0], given.operands[1:])


@reader
def lifecycle_script(invocation: Invocation, words: Sequence[Word]) -> None:
    """`npm test`: the script of that name."""
    given = all_given(invocation, words)
    name = {"t": "test", "tst": "test"}.get(invocation.table.key[-1], invocation.table.key[-1])
    _script(invocation, Word(name), given.operands)


@reader
def package_manager(invocation: Invocation, words: Sequence[Word]) -> None:
    """`pnpm NAME`, `yarn NAME`, `bun NAME`: a script, a program of the packages, or a file."""
    before = take(invocation, words, stop=True)
    invocation.given.options += before.options
    apply_given(invocation, Given(before.options))
    if before.next < len(words):
        _script(invocation, words[before.next], words[before.next + 1 :])
    elif invocation.program == "yarn" and not before.has("-v", "-h"):
        invocation.act = "update"


def _script(invocation: Invocation, name: Word, rest: Sequence[Word]) -> None:
    if not name.exact:
        invocation.opaque("runs a script that is only known when it runs")
        return
    where = invocation.where
    scripts = package_scripts(where.cwd, where.place.workspace)
    start = len(invocation.reading.effects)
    if name.text in scripts:
        for key in (f"pre{name.text}", name.text, f"post{name.text}"):
            if key in scripts and invocation.follow("package.json", scripts[key]):
                invocation.script(Word(scripts[key]))
    elif _CODE.fullmatch(name.text):
        own_file(invocation, name)
    elif invocation.program in {"pnpm", "yarn", "bun"} and invocation.table.key[1:] == ():
        table = knowledge().table((name.text,))
        if table is not None and table.file == "javascript.toml":
            invocation.run([name, *rest])
    _own_code(invocation, start)


def _own_code(invocation: Invocation, start: int) -> None:
    """What a script of the project runs and we do not know is the project's own code."""
    effects = invocation.reading.effects
    for index in range(start, len(effects)):
        effect = effects[index]
        attributes = effect.attributes
        if effect.verb is not Verb.RUN or attributes["source"] == "download":
            continue
        if not attributes["known"] or attributes["uninspectable"]:
            _count_as_own(effects, index)


def _count_as_own(effects: list[Effect], index: int) -> None:
    attributes = effects[index].attributes
    changes = {"known": True, "uninspectable": False, "act": attributes["act"] or "project"}
    effects[index] = replace(effects[index], attributes={**attributes, **changes})


def own_file(invocation: Invocation, word: Word) -> None:
    """Code in a file or directory: the project's own when it lies in the workspace."""
    if not invocation.read(word):
        return
    where = invocation.where
    inside = where.cwd and within(resolve(word.text, where.cwd), where.place.workspace)
    if not inside and not where.elsewhere:
        invocation.opaque(f"runs the code in {word.text}")


def package_scripts(cwd: str, workspace: str) -> Mapping[str, str]:
    """The scripts of the nearest package.json from `cwd` up to the workspace."""
    directory = cwd
    while directory and within(directory, workspace):
        path = os.path.join(directory, "package.json")
        try:
            status = os.stat(path)
        except OSError:
            directory = os.path.dirname(directory)
            continue
        return _scripts(path, status.st_mtime_ns, status.st_size)
    return {}


@lru_cache(maxsize=32)
def _scripts(path: str, changed: int, size: int) -> Mapping[str, str]:
    """`changed` and `size` make an edited file another one."""
    del changed
    if size > _MAX_BYTES:
        return {}
    try:
        with open(path, encoding="utf-8") as file:
            scripts = json.load(file).get("scripts", {})
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    if not isinstance(scripts, dict):
        return {}
    return {str(name): text for name, text in scripts.items() if isinstance(text, str)}
