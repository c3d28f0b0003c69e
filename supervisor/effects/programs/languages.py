"""Program texts in languages other than the shell's, as far as they can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.files import within
from supervisor.effects.follow import file_text
from supervisor.effects.programs.awk import read_awk
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.oneliners import is_pure
from supervisor.effects.programs.pythoncode import read_python
from supervisor.effects.programs.roles import resolve
from supervisor.effects.programs.sed import read_sed
from supervisor.effects.reading import Word
from supervisor.effects.sql import sql_effects
from supervisor.model import Effect, Verb

_SHELLED = re.compile(
    r"""(?:\b(?:system|exec|execSync|exec_sync|popen|spawn|spawnSync|shell_exec|passthru|execute|
    execFileSync|qx|fork|capture2e?|capture3)\b\s*[({\[]?\s*(['"])(?P<quoted>(?:\\.|(?!\1).)+)\1
    |`(?P<ticks>[^`]+)`)""",
    re.VERBOSE,
)
_MAX_SHELLED = 8
_MAX_SHELL_TEXT = 16_384  # characters of a script that is followed: some 20 ms
_JQ_LOADS = re.compile(
    r"\b(?:import|include|input_filename|get_search_list|debug|\$__prog)\b|\binclude\b"
)
_WRITTEN = "runs a file that is written just before"


def read_code(invocation: Invocation, language: str, text: Word) -> None:
    """`text` is executed as a program in `language`."""
    if language == "sh":
        invocation.script(text)
        return
    if not text.exact:
        invocation.opaque("runs a program that is only known when it runs")
        return
    match language:
        case "python":
            read_python(invocation, text.text)
        case "awk":
            read_awk(invocation, text.text)
        case "sed":
            read_sed(invocation, text.text)
        case "jq":
            if _JQ_LOADS.search(text.text):
                invocation.opaque("loads a module or tells of its input")
        case "sql":
            effects, why = sql_effects(text.text)
            invocation.add(*effects)
            if why:
                invocation.opaque(why)
        case _:
            shelled(invocation, text.text)
            if not is_pure(invocation, language, text.text):
                invocation.opaque(f"runs a program in {language.capitalize()}")


def shelled(invocation: Invocation, text: str) -> None:
    """Commands that a program text of any language writes out are judged too."""
    for match, _ in zip(_SHELLED.finditer(text), range(_MAX_SHELLED), strict=False):
        command = match["quoted"] or match["ticks"]
        if "#{" not in command and "$" not in command:
            invocation.script(Word(re.sub(r"\\(.)", r"\1", command)))


def read_script(
    invocation: Invocation, word: Word, language: str, arguments: Sequence[Word] = ()
) -> None:
    """The file `word` is executed as a program in `language` ("" for one that is not known).

    Code of the workspace is the project's own. Any other file is read where that can be done.
    """
    invocation.source = "file"
    where = invocation.where
    if word.text in {"-", "/dev/stdin"}:
        read_input(invocation, language, arguments)
        return
    if where.elsewhere or not invocation.read(word) or word.glob:
        invocation.opaque(f"runs the program in {word.text}")
        return
    path = resolve(word.text, where.cwd)
    own = within(path, where.place.workspace)
    if own:
        invocation.act = invocation.act or "project"
    if path in invocation.reading.written and language != "sh":
        invocation.opaque(_WRITTEN)
        return
    text = file_text(path)
    if text is None:
        if not own:
            invocation.opaque(f"runs the program in {word.text}")
        return
    if own and language != "sh":
        return
    if language == "sh" and len(text) > _MAX_SHELL_TEXT:
        if not own:
            invocation.opaque("runs a text that is too long to read")
        return
    if not invocation.follow(path, *(word.text for word in arguments)):
        return
    mark = len(invocation.reading.effects)
    run_text(invocation, Word(text), language, arguments)
    if own:
        forget_vague(invocation, mark)


def forget_vague(invocation: Invocation, mark: int) -> None:
    """Of the project's own code, what cannot be told is what `project` says already."""
    kept = [effect for effect in invocation.reading.effects[mark:] if not _vague(effect)]
    invocation.reading.effects[mark:] = kept


def _vague(effect: Effect) -> bool:
    attributes = effect.attributes
    if effect.verb is Verb.OTHER:
        return True
    return (
        effect.verb is Verb.RUN
        and bool(attributes["uninspectable"] or not attributes["known"])
        and attributes["source"] != "download"
    )


def read_input(invocation: Invocation, language: str, arguments: Sequence[Word] = ()) -> None:
    """What comes in is executed as a program in `language`."""
    where = invocation.where
    invocation.source = "download" if where.downloaded else "input"
    if where.stdin_text and not where.downloaded:
        run_text(invocation, Word(where.stdin_text), language, arguments)
    elif where.stdin == "text":
        return  # an empty text
    elif not where.stdin:
        invocation.act = invocation.act or "interactive"
        invocation.opaque("runs what a person types")
    else:
        invocation.opaque("runs what it is given on its input")


def run_text(
    invocation: Invocation, text: Word, language: str, arguments: Sequence[Word] = ()
) -> None:
    """`text` is a program in `language` that is given `arguments`."""
    if language == "sh":
        run_shell(invocation, text, [Word(invocation.program), *arguments])
    elif language == "python" and text.exact:
        read_python(invocation, text.text, arguments)
    else:
        read_code(invocation, language, text)


def run_shell(invocation: Invocation, text: Word, arguments: Sequence[Word]) -> None:
    """A shell runs `text`; `arguments` are `$0`, `$1` and so on.

    A name with wildcards stands for itself: what it may match is judged by its text.
    """
    known = all(word.exact for word in arguments)
    positional = tuple(word.text for word in arguments[1:]) if known else None
    invocation.script(text, replace(invocation.deeper(), positional=positional))
