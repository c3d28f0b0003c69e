"""From the words of a command to its effects."""

from __future__ import annotations

import glob as globbing
import itertools
import os
import re
from dataclasses import dataclass, field, replace

from supervisor.effects.files import Place, file_effects
from supervisor.effects.knowledge.acts import act_of, subcommands
from supervisor.effects.knowledge.programs import (
    FETCHERS,
    INTERPRETERS,
    KNOWN,
    PATTERN_FIRST,
    SHELLS,
    TEXTUAL,
    WRAPPER_OPERANDS,
    WRAPPERS,
    loads_code,
)
from supervisor.effects.shell import lexer
from supervisor.effects.shell.lexer import Redirect, Script, Segment, Word
from supervisor.effects.shell.operands import file_operands
from supervisor.model import Effect, Verb

_MAX_DEPTH = 16
_MAX_MATCHES = 64
_MAX_DIRECTORIES = 8
_LEADING = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "time"})
_CLOSING = frozenset({"fi", "done", "esac", "}", ";;"})
_COMPOUND = frozenset({"for", "case", "select", "function", "coproc", "[["})
_SETTING = frozenset({"export", "declare", "typeset", "readonly", "local"})
_CHANGING = frozenset({"alias", "trap", "enable", "hash", "set", "shopt", "unalias", "bind"})
_NETWORK_FILE = re.compile(r"/dev/(?:tcp|udp)/([^/]+)/([^/]+)$")


@dataclass(slots=True)
class _State:
    """What earlier commands of a line tell about later ones."""

    place: Place
    directories: tuple[str, ...]  # where the shell may stand; () when unknown
    depth: int = 0
    effects: dict[tuple[str, str, str], Effect] = field(default_factory=dict)

    def add(self, *effects: Effect) -> None:
        for effect in effects:
            key = (effect.verb.value, effect.resource, str(effect.attributes))
            self.effects.setdefault(key, effect)


@dataclass(frozen=True, slots=True)
class _Context:
    """How one simple command stands in its line."""

    text: str
    opaque: bool
    downloading: bool  # its input comes from a program that fetches


def shell_effects(command: str, cwd: str, place: Place) -> tuple[Effect, ...]:
    """All effects of `command` started in `cwd`; at least one.

    `run` effects carry: `program` (base name), `argv0`, `arguments` (of the program, joined by
    spaces), `subcommand` (its first two words, for programs that have them), `text` (the whole
    simple command as written), `known`, `uninspectable`, `act` (see knowledge.acts), `source`
    (where an interpreter takes its program from: "", "arguments", "file", "input",
    "download").
    """
    state = _State(place, (os.path.realpath(cwd),))
    _script(lexer.read(command, place.home), state, downloading=False)
    if not state.effects:
        if command.strip() and not _only_comments(command):
            state.add(_unreadable(command))
        else:
            state.add(_run("true", "true", (), _Context(command, False, False), ""))
    return tuple(state.effects.values())


def _only_comments(command: str) -> bool:
    return all(not line.strip() or line.strip().startswith("#") for line in command.splitlines())


# ── Lists, pipelines, groups ────────────────────────────────────────────────────────────


def _script(script: Script, state: _State, *, downloading: bool) -> bool:
    """Judge every command of `script`. Returns whether any of them fetches."""
    if state.depth > _MAX_DEPTH or not script.complete:
        state.add(_unreadable(script.segments[0].text if script.segments else "…"))
        if state.depth > _MAX_DEPTH:
            return True
    fetches = False
    piped = downloading
    groups: list[tuple[bool, bool, tuple[str, ...]]] = []
    for segment in script.segments:
        groups += [(piped, False, state.directories)] * segment.opens
        fetched = _segment(segment, state, downloading=piped)
        fetches = fetches or fetched
        upstream = piped or fetched
        if groups:
            base, group, directories = groups[-1]
            groups[-1] = (base, group or fetched, directories)
        for _ in range(min(segment.closes, len(groups))):
            base, group, state.directories = groups.pop()
            upstream = base or group
            if groups:
                outer, outer_group, directories = groups[-1]
                groups[-1] = (outer, outer_group or group, directories)
        if segment.after in {"|", "|&"}:
            piped = upstream
        else:
            piped = groups[-1][0] if groups else downloading
    return fetches


def _segment(segment: Segment, state: _State, *, downloading: bool) -> bool:
    fetches = False
    outer = state.directories
    for nested in segment.nested:
        state.depth += 1
        fetches = _script(nested, state, downloading=False) or fetches
        state.depth -= 1
        state.directories = outer  # a substitution's `cd` is its own
    words = list(segment.words)
    opaque = segment.opaque
    while words and not words[0].quoted and words[0].text in _LEADING:
        words.pop(0)
        opaque = True
    while words and not words[0].quoted and words[0].text in _CLOSING:
        words.pop(0)
        opaque = True
    opaque = opaque or any(loads_code(name) for name in segment.assignments)
    context = _Context(segment.text, opaque, downloading or fetches)
    _redirects(segment.redirects, state)
    if any(loads_code(name) for name in segment.assignments) and not words:
        state.add(_run("export", "export", (), replace(context, opaque=True), ""))
    if words:
        if not words[0].quoted and words[0].text in _COMPOUND:
            state.add(_run(words[0].text, words[0].text, (), replace(context, opaque=True), ""))
        else:
            fetches = _command(words, segment, state, context) or fetches
    elif opaque and not segment.nested and not segment.closes and not segment.opens:
        state.add(_unreadable(segment.text))
    return fetches


def _redirects(redirects: tuple[Redirect, ...], state: _State) -> None:
    for redirect in redirects:
        if redirect.op in {"<<", "<<-", "<<<"}:
            continue
        if redirect.op in {">&", "<&"} and (redirect.target.text.rstrip("-").isdigit()):
            continue
        if redirect.op in {">&", "<&"} and redirect.target.text == "-":
            continue
        verb = Verb.READ if redirect.op in {"<", "<&"} else Verb.WRITE
        network = _NETWORK_FILE.match(redirect.target.text)
        if network:
            state.add(Effect(Verb.CONNECT, f"{network[1]}:{network[2]}", {}))
        elif not _path(verb, redirect.target, state):
            state.add(_unreadable(f"{redirect.op} {redirect.target.text}"))
        if redirect.op == "<>":
            _path(Verb.READ, redirect.target, state)


def _path(verb: Verb, word: Word, state: _State) -> bool:
    """Add the effect on the file that `word` names. False: it cannot be told which."""
    text = word.text
    if not word.exact or not text:
        return False
    if not text.startswith("/") and not state.directories:
        return False
    for directory in state.directories or ("/",):
        if not word.glob:
            state.add(*file_effects(verb, text, directory, state.place))
            continue
        pattern = os.path.join(directory, text)
        found = list(itertools.islice(globbing.iglob(pattern), _MAX_MATCHES + 1))
        for match in found[:_MAX_MATCHES]:
            state.add(*file_effects(verb, match, directory, state.place))
        literal = itertools.takewhile(lambda part: not re.search(r"[*?[]", part), text.split("/"))
        root = "/".join(literal) or ("/" if text.startswith("/") else ".")
        if verb is not Verb.READ or len(found) > _MAX_MATCHES:
            # What is there now is not all that may be there then: judge the directory too.
            for parent in file_effects(verb, root, directory, state.place):
                state.add(replace(parent, attributes={**parent.attributes, "root": False}))
        if len(found) > _MAX_MATCHES:
            return False
    return True


# ── Simple commands ─────────────────────────────────────────────────────────────────────


def _command(words: list[Word], segment: Segment, state: _State, context: _Context) -> bool:
    """One program with its arguments. Returns whether it fetches."""
    head, rest = words[0], words[1:]
    if not head.exact or head.glob or not head.text:
        state.add(_run(head.text or "$", head.text, (), replace(context, opaque=True), ""))
        return True  # it could be anything
    program = os.path.basename(head.text.rstrip("/")) or head.text
    arguments = tuple(word.text for word in rest)
    inexact = any(not word.exact for word in rest)
    if inexact and program not in TEXTUAL:
        context = replace(context, opaque=True)
    if program in _CHANGING or (
        program in _SETTING and any(loads_code(a.partition("=")[0]) for a in arguments)
    ):
        context = replace(context, opaque=True)
    if program == "git" and any(a == "-c" or a.startswith("--config-env") for a in arguments):
        context = replace(context, opaque=True)
    source = _source(program, rest, segment, context)
    if source == "unknown":
        source, context = "arguments", replace(context, opaque=True)
    for reading in subcommands(program, arguments):
        act = act_of(program, reading, arguments)
        sub = " ".join(reading[:2])
        state.add(_run(program, head.text, arguments, context, sub, act=act, source=source))
    if "/" in head.text and not _path(Verb.READ, head, state):
        context = replace(context, opaque=True)
    if program in {"cd", "pushd", "popd"}:
        _change_directory(program, rest, segment.after, state)
        return False
    fetches = program in FETCHERS or _inner(program, rest, segment, state, context)
    for verb, word in file_operands(program, rest):
        if not _path(verb, word, state):
            state.add(_run(program, head.text, arguments, replace(context, opaque=True), ""))
    if program not in TEXTUAL:
        _existing(program, rest, state)
    return fetches


def _run(
    program: str,
    argv0: str,
    arguments: tuple[str, ...],
    context: _Context,
    subcommand: str,
    *,
    act: str = "",
    source: str = "",
) -> Effect:
    return Effect(
        Verb.RUN,
        program,
        {
            "program": program,
            "argv0": argv0,
            "arguments": " ".join(arguments),
            "subcommand": subcommand,
            "text": context.text,
            "known": program in KNOWN,
            "uninspectable": context.opaque,
            "act": act,
            "source": source,
        },
    )


def _unreadable(text: str) -> Effect:
    return _run("shell", "", (), _Context(text, True, False), "")


def _source(program: str, words: list[Word], segment: Segment, context: _Context) -> str:
    """Where an interpreter takes its program from; "unknown" when that cannot be told."""
    if program not in INTERPRETERS or program in WRAPPERS:
        return ""
    if program == "eval":
        return "download" if context.downloading else "arguments"
    inline = {"-c", "-e", "--eval", "-p", "-r", "-m", "eval", "-E", "-lc", "-ec", "-ic"}
    options = [word.text for word in words]
    if program in SHELLS and any(re.fullmatch(r"-\w*c", o) for o in options):
        inline.update(options)
    if any(option in inline for option in options):
        # "sh -c "$(curl …)"" executes what was fetched, whatever stands around it.
        nested = program in SHELLS and context.downloading and bool(segment.nested)
        return "download" if nested else "arguments"
    if any(o in {"--version", "-V", "--help", "-h", "-v"} for o in options):
        return "arguments"
    takes = {"-W", "-X"}
    operands = [
        word
        for before, word in zip([Word(""), *words], words, strict=False)
        if not word.text.startswith("-") and before.text not in takes
    ]
    if "-" in options or "-s" in options or not operands:
        if not operands and any(not word.exact for word in words):
            return "download" if context.downloading else "unknown"
        from_file = any(r.op == "<" for r in segment.redirects)
        return "download" if context.downloading and not from_file else "input"
    if not operands[0].exact or not operands[0].text:
        return "download" if context.downloading else "unknown"
    return "download" if operands[0].text == "/dev/stdin" and context.downloading else "file"


def _change_directory(program: str, words: list[Word], after: str, state: _State) -> None:
    """Later relative paths start where `cd` leads, or, if it may have failed, where it did not."""
    operands = [word for word in words if not re.fullmatch(r"-[LPe@]+|--", word.text)]
    before = state.directories
    target = operands[0] if operands else Word(state.place.home)
    if program == "popd" or not target.exact or target.glob or target.text == "-" or not before:
        if target.exact and target.text.startswith("/") and not target.glob:
            before = ()
        else:
            state.directories = ()
            return
    there = tuple(os.path.realpath(os.path.join(d, target.text)) for d in before or ("/",))
    # After "&&" only success goes on; but "a && b; c" reaches c after a failed cd as well.
    both = tuple(dict.fromkeys((*there, *before))) if after != "&&" else there
    state.directories = both if len(both) <= _MAX_DIRECTORIES else ()


def _inner(
    program: str, words: list[Word], segment: Segment, state: _State, context: _Context
) -> bool:
    """Programs that run another one: judge that too. Returns whether it fetches."""
    if program in WRAPPERS:
        rest, assigned = _unwrap(program, words)
        if any(loads_code(name) for name in assigned):
            context = replace(context, opaque=True)
        if program == "xargs":
            context = replace(context, opaque=True)  # its last arguments come from its input
        return _command(rest, segment, state, context) if rest else False
    if program in {"find", "fd"}:
        return _find(program, words, segment, state, context)
    if program in SHELLS or program == "eval":
        text = _inline(program, words)
        if text is not None:
            state.depth += 1
            before = state.directories
            fetches = _script(
                lexer.read(text, state.place.home), state, downloading=context.downloading
            )
            state.directories = before if program != "eval" else ()
            state.depth -= 1
            return fetches
        for redirect in segment.redirects:
            body = redirect.body if redirect.op != "<<<" else redirect.target.text
            if redirect.op.startswith("<<") and body:
                state.depth += 1
                fetches = _script(lexer.read(body, state.place.home), state, downloading=False)
                state.depth -= 1
                return fetches
    return False


def _inline(program: str, words: list[Word]) -> str | None:
    """The text of `sh -c TEXT` or `eval TEXT`, if there is one and it is known."""
    if program == "eval":
        return " ".join(w.text for w in words) if all(w.exact for w in words) else None
    for index, word in enumerate(words[:-1]):
        if re.fullmatch(r"-\w*c", word.text):
            return words[index + 1].text
    return None


def _unwrap(program: str, words: list[Word]) -> tuple[list[Word], list[str]]:
    """The wrapped command and the variables set for it."""
    valued = WRAPPERS[program]
    assigned: list[str] = []
    skip = WRAPPER_OPERANDS.get(program, 0)
    index = 0
    while index < len(words):
        word = words[index].text
        if program == "env" and word in {"-S", "--split-string"} and index + 1 < len(words):
            split = lexer.read(words[index + 1].text, "~").segments
            return [*(split[0].words if split else ()), *words[index + 2 :]], ["PATH"]
        if word == "--":
            index += 1
            break
        if word.startswith("-") and word != "-":
            index += 2 if word in valued else 1
        elif program in {"env", "sudo"} and "=" in word:
            assigned.append(word.partition("=")[0])
            index += 1
        elif skip:
            skip -= 1
            index += 1
        else:
            break
    return words[index:], assigned


def _find(
    program: str, words: list[Word], segment: Segment, state: _State, context: _Context
) -> bool:
    """`find … -exec command ;` runs a command on files found at that time."""
    runs = {"-exec", "-execdir", "-ok", "-okdir"} if program == "find" else {"-x", "-X", "--exec"}
    roots = list(itertools.takewhile(lambda w: not w.text.startswith(("-", "(", "!")), words))
    fetches = False
    for index, word in enumerate(words):
        if word.text == "-delete" and program == "find":
            for root in roots or [Word(".")]:
                if not _path(Verb.DELETE, _below(root), state):
                    state.add(_unreadable(context.text))
        if word.text in runs:
            inner = list(
                itertools.takewhile(lambda w: w.text not in {";", "+"}, words[index + 1 :])
            )
            # What is found lies below the roots; "{}" stands for them.
            for root in roots or [Word(".")]:
                placed = [_below(root) if w.text == "{}" else w for w in inner]
                if placed:
                    opaque = replace(context, opaque=True)
                    fetches = _command(placed, segment, state, opaque) or fetches
    return fetches


def _below(root: Word) -> Word:
    """Something that `find` will find below `root`."""
    return replace(root, text=root.text.rstrip("/") + "/{}")


def _existing(program: str, words: list[Word], state: _State) -> None:
    """Any argument that names an existing file is taken as read."""
    skip = 1 if program in PATTERN_FIRST else 0
    for word in words:
        text = word.text
        if text.startswith("-"):
            _, equals, text = text.partition("=")
            if not equals:
                continue
        elif skip:
            skip -= 1
            continue
        for candidate in {text, text.rpartition("@")[2], text.rpartition("=")[2]}:
            if not candidate or len(candidate) > 4096 or "\n" in candidate or "\0" in candidate:
                continue
            piece = replace(word, text=candidate)
            if word.glob or any(
                os.path.lexists(os.path.join(d, candidate)) for d in state.directories or ("/",)
            ):
                _path(Verb.READ, piece, state)
