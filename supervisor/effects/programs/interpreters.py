"""Readers of shells and interpreters: where the program comes from, and what it is given."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from supervisor.effects.files import within
from supervisor.effects.knowledge import knowledge
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options, interpret
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.languages import (
    read_code,
    read_input,
    read_script,
    run_shell,
    run_text,
    shelled,
)
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import resolve
from supervisor.effects.reading import Word

_SHELL_LETTERS = frozenset("abefhklmnptuvxBCEHPTcsilrdDOo")
_SHELL_OPTIONS = frozenset(
    {"--login", "--posix", "--norc", "--noprofile", "--verbose", "--restricted", "--noediting"}
    | {"--no-rcs", "--no-globalrcs"}
)
_MODULE = re.compile(r"[A-Za-z_][\w.]*")
_PYTHON_MODULE = re.compile(r"-([bBdEhiIOPqsStuvVx?]*)m(.*)")
_PYTHON_TEXT = re.compile(r"-([bBdEhiIOPqsStuvVx?]*)c(.*)", re.DOTALL)
_PERL_MODULES = frozenset(
    {"strict", "warnings", "utf8", "List::Util", "Data::Dumper", "MIME::Base64", "Time::HiRes"}
    | {"Digest::SHA", "Digest::MD5", "JSON::PP", "POSIX", "Encode", "feature", "integer", "bigint"}
)


@reader
def shell_program(invocation: Invocation, words: Sequence[Word]) -> None:
    """`sh -c TEXT [NAME ARG…]`, `sh FILE ARG…`, or a program on the input."""
    words = list(words)
    letters = ""
    while words and words[0].exact and words[0].text[:1] in {"-", "+"} and len(words[0].text) > 1:
        option = words.pop(0).text
        if option == "--":
            break
        if option in {"--version", "--help"}:
            return
        if option.startswith("--"):
            if option not in _SHELL_OPTIONS:
                invocation.unknown(f"does not know option {option}")
            if option in {"--rcfile", "--init-file"} and words:
                invocation.read(words.pop(0))
            continue
        if not set(option[1:]) <= _SHELL_LETTERS:
            invocation.unknown(f"does not know option {option}")
        letters += option[1:]
        if option[-1] in "oO" and words:
            words.pop(0)
    if words and not words[0].exact and words[0].begins[:1] in {"", "-"} and "c" not in letters:
        invocation.opaque("has a word that may turn out to be an option")
    if "c" in letters:
        invocation.source = "arguments"
        if words and words[0].exact:
            run_shell(invocation, words[0], words[1:])
        elif words:
            invocation.opaque("runs a text that is only known when it runs")
    elif words and words[0].text == "-":
        read_input(invocation, "sh", words[1:])
    elif words and "s" not in letters:
        if "n" in letters:
            invocation.read(words[0])
        else:
            read_script(invocation, words[0], "sh", words[1:])
    elif "n" not in letters:
        read_input(invocation, "sh", words)


@reader
def other_shell(invocation: Invocation, words: Sequence[Word]) -> None:
    """Shells with a grammar of their own: what stands in their texts is judged as well."""
    given = take(invocation, words)
    text = given.value("-c")
    invocation.source = "file" if text is None else "arguments"
    if text is not None:
        shelled(invocation, text.text)
        if text.exact:
            run_shell(invocation, text, [])
    else:
        for word in given.operands[:1]:
            invocation.read(word)
    invocation.opaque("runs a text in a language that cannot be read")


@reader
def python_program(invocation: Invocation, words: Sequence[Word]) -> None:
    """`python -c TEXT`, `-m MODULE`, `FILE`, each with arguments; or a program on the input."""
    before = ""
    for index, word in enumerate(words):
        option = word.text
        if before in {"-W", "-X", "--check-hash-based-pycs"}:
            before = ""
            continue
        before = option
        named, text = _PYTHON_MODULE.fullmatch(option), _PYTHON_TEXT.fullmatch(option)
        if not word.exact and word.begins[:1] in {"", "-"}:
            break
        if named or text:
            letters, attached = (named or text).groups()  # type: ignore[union-attr]
            take(invocation, [*words[:index], *([Word(f"-{letters}")] if letters else [])])
            rest = list(words[index + 1 :])
            first = Word(attached, word.exact) if attached else (rest.pop(0) if rest else None)
            invocation.source = "arguments"
            if first is None:
                return
            if not first.exact:
                invocation.opaque("runs a program that is only known when it runs")
            elif named:
                module(invocation, first.text, rest)
            else:
                run_text(invocation, first, "python", rest)
            return
        if option == "-" or not option.startswith("-"):
            take(invocation, words[:index])
            read_script(invocation, word, "python", words[index + 1 :])
            return
    given = take(invocation, words)
    if not given.has("-V", "-VV", "-h", "-?", "--help", "--version"):
        read_input(invocation, "python")


def module(invocation: Invocation, name: str, words: Sequence[Word]) -> None:
    """`python -m NAME …`: a module of the language, a program, or code of the workspace."""
    if not _MODULE.fullmatch(name):
        invocation.opaque("runs a module that is only known when it runs")
        return
    where = invocation.where
    top = name.partition(".")[0]
    if where.cwd and not where.elsewhere and _lies_here(top, where.cwd):
        invocation.act = invocation.act or "project"
        return
    tables = knowledge()
    table = tables.table(("python", "-m", name))
    if table is not None:
        interpret(invocation, table, words)
        return
    for program in (name, name.replace("_", "-")):
        if "." not in program and tables.table((program,)) is not None:
            invocation.run([Word(program), *words])
            return
    invocation.opaque(f"runs the module {name}")


@reader
def profiled_module(invocation: Invocation, words: Sequence[Word]) -> None:
    """`python -m cProfile -m NAME …`"""
    given = take(invocation, words)
    apply_options(invocation, given)
    if given.operands:
        module(invocation, given.operands[0].text, given.operands[1:])


def _lies_here(top: str, cwd: str) -> bool:
    return any(
        os.path.lexists(os.path.join(cwd, folder, top + ending))
        for folder in ("", "src")
        for ending in (".py", "/__init__.py", "/__main__.py")
    )


@reader
def perl_program(invocation: Invocation, words: Sequence[Word]) -> None:
    """`perl -ne TEXT FILE…` and its kin; file names of `-n` and `-p` may be commands."""
    given = take(invocation, words)
    texts: list[Word] = []
    for option, value in given.options:
        if value is None:
            continue
        names = set(option.names)
        if names & {"-e", "-E"}:
            texts.append(value)
        elif names & {"-M", "-m"} and value.text.partition("=")[0] not in _PERL_MODULES:
            invocation.opaque(f"loads the module {value.text}")
        elif "-x" in names:
            invocation.opaque("runs a text within another")
        elif "-I" in names and not _in_workspace(invocation, value):
            invocation.opaque("changes where modules are found")
    operands = list(given.operands)
    if not texts:
        if operands:
            read_script(invocation, operands[0], "perl", operands[1:])
        elif not given.has("-v", "-V"):
            read_input(invocation, "perl")
        return
    invocation.source = "arguments"
    for text in texts:
        read_code(invocation, "perl", text)
    loops = given.has("-n", "-p", "-i", "-a") or any("<>" in text.text for text in texts)
    for operand in operands if loops else ():
        if re.search(r"[|<>]", operand.text):
            invocation.opaque(f"may run {operand.text} as a command")
        elif operand.text != "-" and invocation.read(operand) and given.has("-i"):
            invocation.write(operand)


def _in_workspace(invocation: Invocation, word: Word) -> bool:
    where = invocation.where
    known = word.exact and (where.cwd or word.text.startswith("/"))
    return bool(known) and within(resolve(word.text, where.cwd), where.place.workspace)


@reader
def evaluating(invocation: Invocation, words: Sequence[Word]) -> None:
    """`node -e TEXT`, `ruby -e TEXT`, `php -r TEXT`, `lua -e TEXT`, or a script and its words."""
    given = take(invocation, words)
    language = invocation.table.input
    codes = {
        name
        for option, _ in given.options
        if (option.role or "").startswith("code:")
        for name in option.names
    }
    texts = [value for option, value in given.options if value and codes & set(option.names)]
    apply_options(invocation, given, *codes)
    if texts:
        invocation.source = "arguments"
        for text in texts:
            read_code(invocation, language, text)
    elif given.operands:
        first = given.operands[0]
        if given.has("-c", "-l", "--check", "--syntax-check"):
            for word in given.operands:
                invocation.read(word)
        else:
            read_script(invocation, first, language, given.operands[1:])
    elif not given.has("-v", "-V", "-h", "-i", "-m", "--ini", "--version", "--modules", "--test"):
        read_input(invocation, language)
