"""Containers: what of this machine they are given, and what runs in them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from supervisor.effects.files import within
from supervisor.effects.knowledge import knowledge
from supervisor.effects.programs.described import described
from supervisor.effects.programs.invocation import Invocation, base_name
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import resolve
from supervisor.effects.reading import Word
from supervisor.model import Verb

_REACHES = "containers"  # the act of what gets past the task's limits
_FLAGS = frozenset({"--privileged", "--use-api-socket", "--env-host"})
_ALWAYS = frozenset(
    {"--device", "--device-cgroup-rule", "--gpus", "--cap-add", "--volumes-from", "--runtime"}
    | {"--hooks-dir", "--rootfs", "--init-path", "--seccomp-policy", "--allow"}
)
_HOST = frozenset({"--pid", "--ipc", "--uts", "--userns", "--cgroupns", "--network", "--net"})
_JOINS = re.compile(r"host|container:|ns:|$")  # or a value that is only known when it runs
_SAFE_SECURITY = re.compile(r"no-new-privileges(?:[:=]true)?")
_WITHOUT_VALUES = (
    *("-q", "--quiet", "--services", "--volumes", "--profiles", "--images", "--hash"),
    *("--networks", "--models", "--no-interpolate"),
)
_INSIDE = re.compile(r"[A-Za-z0-9][\w.-]*:")
_MAX_IMAGE_LOOKBACK = 200  # effects


def _given(invocation: Invocation, words: Sequence[Word]) -> Given:
    """Options of a container: its mounts, and whether it gets more than the task has."""
    given = described(invocation, words)
    for option, value in given.options:
        names = set(option.names)
        if names & _FLAGS:
            invocation.act = _REACHES
        if value is None:
            continue
        if names & {"-v", "--volume"}:
            _volume(invocation, value)
        elif "--mount" in names:
            _mount(invocation, value)
        elif names & _ALWAYS:
            invocation.act = _REACHES
        elif names & _HOST:
            invocation.act = _REACHES if _JOINS.match(value.text) else invocation.act
        elif "--security-opt" in names and not _SAFE_SECURITY.fullmatch(value.text):
            invocation.act = _REACHES
    return given


def _volume(invocation: Invocation, value: Word) -> None:
    """`SOURCE:TARGET[:OPTIONS]`; a source without a slash is the name of a volume."""
    source, colon, rest = value.text.partition(":")
    if not colon:
        if not value.exact:
            _unknown_mount(invocation)
        return
    if not value.exact:
        _unknown_mount(invocation)
        return
    if "/" in source or source.startswith((".", "~")):
        _bind(invocation, source, reads_only="ro" in rest.split(":")[-1].split(","))


def _mount(invocation: Invocation, value: Word) -> None:
    """`type=bind,source=…,target=…[,readonly]`."""
    pairs = dict(part.partition("=")[::2] for part in value.text.split(","))
    kind = pairs.get("type", "volume")
    source = pairs.get("source", pairs.get("src", ""))
    if not value.exact:
        _unknown_mount(invocation)
    elif kind == "bind":
        only = pairs.get("readonly", pairs.get("ro", "false"))
        _bind(invocation, source, reads_only=only in {"", "true", "1"})
    elif kind == "volume" and any(name.startswith("volume-opt") for name in pairs):
        invocation.act = _REACHES
    elif kind not in {"volume", "tmpfs", "cache", "image"}:
        _unknown_mount(invocation)


def _unknown_mount(invocation: Invocation) -> None:
    invocation.act = _REACHES
    invocation.opaque("is given a directory that is only known when it runs")


def _bind(invocation: Invocation, source: str, *, reads_only: bool) -> None:
    place = invocation.where.place
    if source.startswith("~"):
        source = place.home + source[1:]
    word = Word(source)
    known = invocation.file(Verb.READ, word)
    if known and not reads_only:
        invocation.write(word)
    real = resolve(source, invocation.where.cwd or "/")
    if not within(real, place.workspace) and not real.startswith(("/tmp/", "/var/tmp/")):  # noqa: S108
        invocation.act = _REACHES


# Words that images take as an argument far more often than they have a program of that name.
_ARGUMENTS = frozenset({"up", "down", "version", "help", "start", "stop", "serve", "init"})


def _inside(invocation: Invocation, words: Sequence[Word]) -> None:
    """What runs in the container. A word that is no known program goes to its entry point."""
    if not words:
        return
    name = base_name(words[0].text)
    if not words[0].exact:
        invocation.opaque("runs a program that is only known when it runs")
    elif name not in _ARGUMENTS and knowledge().table((name,)) is not None:
        invocation.run(words, invocation.deeper(elsewhere=True))


@reader
def docker_run(invocation: Invocation, words: Sequence[Word]) -> None:
    """`docker run [options] IMAGE [COMMAND…]`."""
    given = _given(invocation, words)
    if not given.operands:
        return
    image, *command = given.operands
    pull = given.value("--pull")
    fetched = pull is None or pull.text != "never"
    if fetched and not _was_built(invocation, image.text):
        invocation.manager = "docker"
        invocation.install(image)
    _inside(invocation, _with_entry_point(given, command))


def _with_entry_point(given: Given, command: Sequence[Word]) -> Sequence[Word]:
    entry = given.value("--entrypoint")
    return [entry, *command] if entry is not None and entry.text else command


def _was_built(invocation: Invocation, image: str) -> bool:
    """Whether a build in the same call gave the image its name."""
    for effect in invocation.reading.effects[-_MAX_IMAGE_LOOKBACK:]:
        attributes = effect.attributes
        builds = effect.verb is Verb.RUN and str(attributes["subcommand"]).endswith("build")
        if builds and image in str(attributes["arguments"]).split():
            return True
    return False


@reader
def docker_exec(invocation: Invocation, words: Sequence[Word]) -> None:
    """`docker exec [options] CONTAINER COMMAND…`."""
    given = _given(invocation, words)
    _inside(invocation, given.operands[1:])


@reader
def compose_run(invocation: Invocation, words: Sequence[Word]) -> None:
    """`docker compose run [options] SERVICE [COMMAND…]`."""
    given = _given(invocation, words)
    _services(invocation)
    _inside(invocation, _with_entry_point(given, given.operands[1:]))


# What a file of services may ask for beyond the task's own reach.
_ASKS_FOR_MORE = re.compile(
    r"privileged:\s*[\"']?true|docker\.sock|(?:pid|ipc|uts|network_mode|userns_mode):\s*[\"']?host|"
    r"cap_add:|devices:|security_opt:|"
    r"(?:-\s*|source:\s*)[\"']?(?:/(?!tmp/)|~|\$\{?HOME|\.\./)[^:\n]*(?::|$)",
    re.MULTILINE,
)
_FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_MAX_FILE = 65_536  # bytes of a file of services that is looked into


def _services(invocation: Invocation) -> None:
    """The files that name the services: do they give them more than the task has?"""
    where = invocation.where
    if where.elsewhere or not where.cwd:
        return
    named = [value for option, value in invocation.given.options if value and "-f" in option.names]
    for path in [word.text for word in named if word.exact] or _FILES:
        full = os.path.join(where.cwd, path)
        if not os.path.isfile(full):  # a pipe would keep us waiting
            continue
        try:
            with open(full, "rb") as file:
                text = file.read(_MAX_FILE).decode(errors="replace")
        except OSError:
            continue
        if _ASKS_FOR_MORE.search(text):
            invocation.act = _REACHES


@reader
def compose_services(invocation: Invocation, words: Sequence[Word]) -> None:
    """Starts services as their file describes them."""
    described(invocation, words)
    _services(invocation)


@reader
def compose_config(invocation: Invocation, words: Sequence[Word]) -> None:
    """Prints the services with the values of `.env` put in, unless it is told what to print."""
    given = described(invocation, words)
    where = invocation.where
    if given.has(*_WITHOUT_VALUES) or where.elsewhere:
        return
    if where.cwd and os.path.lexists(os.path.join(where.cwd, ".env")):
        invocation.read(Word(".env"))


@reader
def docker_cp(invocation: Invocation, words: Sequence[Word]) -> None:
    """`docker cp SOURCE TARGET`, one of which is `CONTAINER:PATH`."""
    given = described(invocation, words)
    for verb, word in zip((Verb.READ, Verb.WRITE), given.operands, strict=False):
        if word.text != "-" and not (word.exact and _INSIDE.match(word.text)):
            invocation.file(verb, word)


@reader
def docker_build(invocation: Invocation, words: Sequence[Word]) -> None:
    """`docker build [options] CONTEXT`: the directory goes to the engine as a whole."""
    given = _given(invocation, words)
    for index, word in enumerate(words):
        name, equals, value = word.text.partition("=")
        following = words[index + 1] if index + 1 < len(words) else Word("")
        argument = Word(value, word.exact) if equals else following
        if name in {"--secret", "--ssh"}:
            _secret(invocation, argument, socket=name == "--ssh")
        elif name in {"-o", "--output", "--cache-to", "--cache-from"}:
            _export(invocation, argument, reads=name == "--cache-from")
        elif name == "--build-context":
            _context(invocation, Word(argument.text.partition("=")[2], argument.exact))
        elif name == "--push":
            invocation.operate("registry", "push", "publish")
        elif name in {"--creds", "--env", "--isolation", "--authfile"}:
            invocation.opaque(f"is given {name}")
    for word in given.operands[:1]:
        _context(invocation, word)


def _secret(invocation: Invocation, value: Word, *, socket: bool) -> None:
    pairs = dict(part.partition("=")[::2] for part in value.text.split(","))
    path = pairs.get("src", pairs.get("source", ""))
    if socket and "=" in value.text:
        path = value.text.partition("=")[2]
    if not value.exact:
        invocation.opaque("is given a secret that is only known when it runs")
    elif path:
        invocation.read(Word(path))


def _export(invocation: Invocation, value: Word, *, reads: bool) -> None:
    pairs = dict(part.partition("=")[::2] for part in value.text.split(","))
    path = pairs.get("src" if reads else "dest", "")
    if not value.exact:
        invocation.opaque("puts its result where is only known when it runs")
    elif "=" not in value.text and not reads:
        path = "" if value.text == "-" else value.text
    elif not reads and (pairs.get("push") == "true" or pairs.get("type") == "registry"):
        invocation.operate("registry", "push", "publish")
    if path:
        invocation.file(Verb.READ if reads else Verb.WRITE, Word(path))


def _context(invocation: Invocation, word: Word) -> None:
    if re.match(r"(?:https?|git)://|git@", word.text):
        invocation.url(word)
    elif word.text != "-" and not word.text.startswith(("docker-image://", "target:")):
        invocation.read(word)
