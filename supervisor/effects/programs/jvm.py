"""Java's launcher and archives, Maven and Gradle."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_given
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import library
from supervisor.effects.reading import Word

_PATHS = frozenset({"-cp", "-classpath", "--class-path", "-p", "--module-path"})
_VALUES = frozenset(
    {"-m", "--module", "--add-modules", "--add-opens", "--add-exports", "--add-reads", "--source"}
    | {"--enable-native-access", "--limit-modules", "-d", "--describe-module"}
)
_HARMLESS = re.compile(
    r"-D[^=]+(?:=.*)?|-X(?:mx|ms|ss|mn)\S+|-X(?:int|comp|mixed|batch|diag|internalversion)|-Xshare:\S+|"
    r"-Xverify\S*|-XX:[+-]\w+|-XX:(?:Max|Min|Initial|New|Survivor|Parallel|Conc|G1|Z|Reserved|Metaspace|"
    r"CI|Tiered|Thread|Active|Compressed|String|Soft|Heap(?!DumpPath))\w*=[\w.]+|-e[as]?a?(?::\S+)?|-d[as]?a?"
    r"(?::\S+)?|-esa|-dsa|-(?:enable|disable)assertions\S*|--(?:add-modules|add-opens|add-exports|"
    r"add-reads|source|enable-native-access|limit-modules|illegal-access|finalization)=\S+"
)
_OUTWARD = re.compile(
    r"(?::?[\w:-]*:)?(?:publish(?!ToMavenLocal)\w*|upload\w*|deploy\w*|release\w*|closeAndRelease\w*)|"
    r"(?:deploy|site|release|jgitflow|nexus-staging|central-publishing|jib|docker|k8s|fabric8)"
    r"(?::(?:deploy|perform|prepare|release|publish|push|stage|build|deploy-file)|-deploy)",
    re.IGNORECASE,
)


@reader
def java(invocation: Invocation, words: Sequence[Word]) -> None:
    """`java [OPTION…] -jar FILE | CLASS | FILE.java [WORD…]`."""
    position = 0
    while position < len(words):
        word = words[position]
        text = word.text
        position += 1
        value = words[position] if position < len(words) else None
        if not word.exact:
            invocation.opaque("has a word that may turn out to be an option")
            return
        if text == "-jar":
            if value is not None:
                library(invocation, value)
            return
        if text in _PATHS:
            position += 1
            _class_path(invocation, value)
        elif text.startswith(("--class-path=", "--module-path=")):
            _class_path(invocation, replace(word, text=text.partition("=")[2]))
        elif text in _VALUES:
            position += 1
            if text in {"-m", "--module"}:
                return
        elif text.startswith("@"):
            invocation.opaque("takes options from a file")
            return
        elif not text.startswith("-"):
            if text.endswith(".java"):
                library(invocation, word)
            return
        elif text not in invocation.table.options and not _HARMLESS.fullmatch(text):
            invocation.opaque(f"is told {text}, which can load or run code")


def _class_path(invocation: Invocation, value: Word | None) -> None:
    if value is None or not value.exact:
        invocation.opaque("loads classes from a place that is only known when it runs")
        return
    for part in value.text.split(":"):
        if part:
            library(invocation, replace(value, text=part.removesuffix("/*") or "/"))


@reader
def java_archive(invocation: Invocation, words: Sequence[Word]) -> None:
    """`jar cf FILE WORD…` and `jar --create --file FILE WORD…`."""
    operation, archive = "", None
    files: list[Word] = []
    rest = list(words)
    if rest and re.fullmatch(r"-?[ctxui][vfm0Me]*", rest[0].text):
        letters = rest.pop(0).text.removeprefix("-")
        operation = letters[0]
        for letter in letters[1:]:
            if letter in "fme" and rest:
                taken = rest.pop(0)
                if letter == "f":
                    archive = taken
                elif letter == "m":
                    invocation.read(taken)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.text.partition("=")
        if name in {"--create", "--extract", "--list", "--update", "--describe-module"}:
            operation = {"--extract": "x", "--list": "t", "--describe-module": "t"}.get(name, "c")
        elif name in {"-f", "--file", "-C", "-m", "--manifest", "-e", "--main-class"}:
            taken = replace(word, text=value) if equals else rest.pop(0) if rest else word
            if name in {"-f", "--file"}:
                archive = taken
            elif name not in {"-e", "--main-class"}:
                files.append(taken)
        elif name.startswith("-") and name not in {"-v", "--verbose", "-M", "-0", "--no-manifest"}:
            invocation.opaque(f"does not know option {name}")
        else:
            files.append(word)
    if not operation:
        invocation.opaque("does what is not known")
    if archive is not None:
        if operation in "txu" and operation:
            invocation.read(archive)
        if operation in "cu" and operation:
            invocation.write(archive)
    if operation == "x":
        invocation.write(Word("."))
    elif operation in {"c", "u"}:
        for word in files:
            invocation.read(word)


@reader
def maven(invocation: Invocation, words: Sequence[Word]) -> None:
    """`mvn [OPTION…] GOAL…`: goals that deploy or release go to a live repository."""
    _goals(invocation, words)


@reader
def gradle(invocation: Invocation, words: Sequence[Word]) -> None:
    """`gradle [OPTION…] TASK…`: tasks whose names publish or deploy."""
    _goals(invocation, words)


def _goals(invocation: Invocation, words: Sequence[Word]) -> None:
    given = take(invocation, words)
    apply_given(invocation, Given(given.options))
    for word in given.operands:
        goal = word.text
        if not word.exact:
            invocation.opaque("runs a task that is only known when it runs")
        elif _OUTWARD.fullmatch(goal):
            name = "deploy" if invocation.program.startswith("mvn") else goal.rpartition(":")[2]
            invocation.operate("maven", name, "publish")
            return


# What `jcmd` prints without a value that the process holds.
_LOOKS = frozenset(
    {
        "Thread.print",
        "GC.class_histogram",
        "GC.heap_info",
        "GC.finalizer_info",
        "GC.run",
        "VM.flags",
    }
    | {
        "VM.version",
        "VM.uptime",
        "VM.native_memory",
        "VM.metaspace",
        "VM.classloader_stats",
        "help",
    }
    | {"VM.classloaders", "VM.class_hierarchy", "Compiler.codecache"}
)


@reader
def java_command(invocation: Invocation, words: Sequence[Word]) -> None:
    """`jcmd PID COMMAND`: without one it lists; some only look, the others reach into it."""
    texts = [word.text for word in words if word.exact]
    if len(texts) == len(words) and (texts in ([], ["-l"]) or (texts[1:2] and texts[1] in _LOOKS)):
        invocation.act = ""


@reader
def java_memory(invocation: Invocation, words: Sequence[Word]) -> None:
    """`jmap -histo PID` counts objects by class; whatever else `jmap` does shows what they hold."""
    if len(words) == 2 and words[0].exact and words[0].text in {"-histo", "-histo:live"}:
        invocation.act = ""
