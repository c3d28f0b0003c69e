"""Compilers, builders, debuggers and release commands whose words a table cannot split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_given
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.options import Given
from supervisor.effects.programs.packages import own_file
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import library
from supervisor.effects.reading import Word

# Options of C compilers. Those with a path may have it attached; the longest name counts.
_WRITES = ("--output=", "-MF", "-o", "-dumpdir", "-aux-info")
_READS = (
    *("-isystem", "-iquote", "-idirafter", "-include", "-imacros", "-isysroot", "--sysroot="),
    *("-iframework", "-iwithprefix", "-I", "-L", "-T", "-F"),
)
_VALUES = frozenset(
    {"-x", "-D", "-U", "-l", "-u", "-z", "-MT", "-MQ", "-arch", "-target", "-framework", "-A", "-e"}
    | {"--param", "-Xpreprocessor", "-std", "-current_version", "-compatibility_version"}
    | {"-install_name", "-undefined", "--target"}
)
_HARMLESS = re.compile(
    r"-[DUlxuz].+|-W(?!l,|a,|p,).*|-[fm][\w.,+-]*(?:=[^/]*)?|-O\w*|-g[\w-]*|-std=.*|-std|-[cSEvwspPCMHQ]|"
    r"-M[MDPG]{1,2}|-p[gi]?\w*|-pedantic\S*|-ansi|-static\S*|-shared|-no\w+\S*|-rdynamic|-pthread|-pipe|"
    r"-d[MDNIU]|-dump(?:version|machine|specs|fullversion)|-print-\S+|--print-\S+|-###|--help\S*|--version|"
    r"-ObjC\S*|-emit-llvm|-save-temps|-time|-traditional\S*|-trigraphs|-undef|-symbolic|-Bstatic|"
    r"-Bdynamic|--(?:analyze|coverage|verbose|debug|optimize|pipe|shared|static|assemble|compile|preprocess)|-coverage|--target=.*|"
    r"-f(?:file|debug|macro|profile|coverage)-prefix-map=.*|-"
)
_RUNS = re.compile(
    r"-B|--?specs|-wrapper|-f(?:pass-)?plugin|-X(?:clang|linker|assembler)|-fuse-ld|--?ld-path|"
    r"--?gcc-toolchain|-ccc-|--?gcc-install-dir|-load|-mllvm|-fprebuilt|--?config"
)
_LINKER = re.compile(
    r"-Wl,(?:-?-(?:rpath(?:-link)?|soname|z|no-undefined|as-needed|no-as-needed|gc-sections|"
    r"dead_strip|start-group|end-group|whole-archive|no-whole-archive|export-dynamic|E|Bsymbolic\S*|"
    r"Bstatic|Bdynamic|O\d|s|S|x|strip-all|build-id\S*|hash-style\S*|exclude-libs|stack\S*|"
    r"subsystem\S*|wrap\S*|allow-multiple-definition|install_name|headerpad\S*|-enable-new-dtags)"
    r"(?:[=,](?!-)[^,]*)?,?)+"
)
_MAX_WORD = 1000  # characters of linker options that are looked at
_OUTSIDE_LINKER = re.compile(r"-extld\b|-extldflags(?!\s*=?\s*[\"']?-static[\"']?(?:\s|$))")
_CODEGEN = re.compile(
    r"(?:opt-level|debuginfo|target-cpu|target-feature|lto|codegen-units|panic|overflow-checks|"
    r"debug-assertions|strip|relocation-model|code-model|prefer-dynamic|metadata|extra-filename|"
    r"embed-bitcode|force-frame-pointers|force-unwind-tables|inline-threshold|no-redzone|"
    r"instrument-coverage|split-debuginfo|rpath|soft-float|symbol-mangling-version|control-flow-guard|"
    r"no-prepopulate-passes|no-vectorize-\w+)(?:=.*)?"
)
_DEBUGGER = re.compile(
    r"(?:r|run|start|starti|bt|backtrace|where|c|continue|n|next|s|step|stepi|nexti|finish|up|down|q|"
    r"quit|kill|thread(?: apply all bt(?: full)?| list| backtrace(?: all)?)?|process (?:launch|"
    r"continue)|frame variable|register read|image list|"
    r"(?:b|break|tbreak|breakpoint set|catch|info|i|l|list|frame|f|x|x/\S+|disas|disassemble|watch|"
    r"delete|p|print|set (?:pagination|confirm|width|height|args|print|disassembly-flavor)) "
    r"[\w\s:.,/*$&+<>=\[\]'-]*|info|bt (?:full|-?\d+)|disas|disassemble|list|print)"
)
_MAKE_VARIABLE = re.compile(
    r"(?:\.?SHELL|\.SHELLFLAGS|MAKE|MAKEFLAGS|MAKEFILES|MFLAGS|GNUMAKEFLAGS)\b"
)


@reader
def compiler(invocation: Invocation, words: Sequence[Word]) -> None:
    """`gcc`, `clang` and kin: sources are read; what loads plug-ins or other tools is not told."""
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        text = word.text
        following = words[position] if position < len(words) else None
        if not word.exact and text[:1] in {"-", "@", ""}:
            invocation.opaque("has a word that may turn out to be an option")
        elif text.startswith("@"):
            invocation.read(replace(word, text=text[1:]))
            invocation.opaque("takes options from a file")
        elif not text.startswith("-"):
            invocation.read(word)
        elif text == "--output" or text in _WRITES or text in _READS:
            position += 1
            if following is None:
                invocation.opaque(f"lacks the value of {text}")
            elif text in _READS:
                invocation.read(following)
            elif following.text != "-":
                invocation.write(following)
        elif text in _VALUES:
            position += 1
        elif _RUNS.match(text) or (text.startswith("-Wl,") and not _links_plainly(text)):
            invocation.opaque(f"is told {text}, which can load or run code")
            position += 1 if text in {"-B", "-wrapper", "-specs", "-Xclang", "-Xlinker"} else 0
        elif text.startswith("-Wl,") or _HARMLESS.fullmatch(text):
            continue
        elif (name := _attached(text, _READS)) is not None:
            invocation.read(replace(word, text=text[len(name) :]))
        elif (name := _attached(text, _WRITES)) is not None:
            invocation.write(replace(word, text=text[len(name) :]))
        else:
            invocation.opaque(f"does not know option {text}")


def _links_plainly(text: str) -> bool:
    """Whether `-Wl,WORD…` only has words for the linker that load nothing."""
    return len(text) <= _MAX_WORD and _LINKER.fullmatch(text) is not None


def _attached(text: str, names: Sequence[str]) -> str | None:
    """The option of `names` that `text` begins with, its value attached."""
    return next((name for name in names if text.startswith(name) and text != name), None)


@reader
def archiver(invocation: Invocation, words: Sequence[Word]) -> None:
    """`ar OPERATION[MODIFIER…] ARCHIVE [FILE…]`."""
    if len(words) < 2 or not all(word.exact for word in words[:1]):
        invocation.opaque("does what is only known when it runs")
        return
    operation = words[0].text.removeprefix("-")
    if not re.fullmatch(r"[dmpqrstx][abcDfiklLNoOPsSTuUvV]*", operation):
        invocation.opaque(f"does not know the operation {operation}")
        return
    archive, *files = words[1:] if not set("abi") & set(operation[1:]) else words[2:] or words[1:]
    if not invocation.read(archive):
        return
    if operation[0] in "dmqrs":
        invocation.write(archive)
    if operation[0] in "qr":
        for file in files:
            invocation.read(file)
    if operation[0] == "x":
        invocation.write(Word("."))
        if any(not file.exact or file.text.startswith("--") for file in files):
            invocation.opaque("may unpack elsewhere")


# ── make, cargo, go ─────────────────────────────────────────────────────────────────────


@reader
def makefile(invocation: Invocation, words: Sequence[Word]) -> None:
    """`make -f FILE`."""
    (word,) = words
    if word.text in {"-", "/dev/stdin"}:
        invocation.source = "download" if invocation.where.downloaded else "input"
        invocation.opaque("runs what it is given on its input")
    else:
        library(invocation, word)


@reader
def make_goal(invocation: Invocation, words: Sequence[Word]) -> None:
    """A target, or `NAME=VALUE`, which may say which shell runs the recipes."""
    (word,) = words
    if _MAKE_VARIABLE.match(word.text) and "=" in word.text:
        invocation.opaque(f"is told {word.text}, which changes what it runs")
    elif not word.exact and ("=" not in word.text):
        invocation.opaque("makes a target that is only known when it runs")


@reader
def cargo(invocation: Invocation, words: Sequence[Word]) -> None:
    """`cargo +TOOLCHAIN SUBCOMMAND…`; any other word is a subcommand that we do not know."""
    if words and words[0].exact and re.fullmatch(r"\+[\w.-]+", words[0].text):
        invocation.run([invocation.words[0], *words[1:]])
        return
    before = take(invocation, words, stop=True)
    apply_given(invocation, Given(before.options))
    if before.next < len(words):
        invocation.opaque(f"does not know the subcommand {words[before.next].text}")


@reader
def rustc_setting(invocation: Invocation, words: Sequence[Word]) -> None:
    """`rustc -C NAME=VALUE`: some name the linker or a file."""
    (word,) = words
    if not word.exact or not _CODEGEN.fullmatch(word.text):
        invocation.opaque(f"is told {word.text}, which can load or run code")


@reader
def rustc_source(invocation: Invocation, words: Sequence[Word]) -> None:
    """`rustc FILE`; `@FILE` holds options, which may name a linker or a plug-in."""
    (word,) = words
    if word.text.startswith("@"):
        invocation.opaque("takes options from a file")
    elif word.text != "-":
        invocation.read(word)


@reader
def go_linker(invocation: Invocation, words: Sequence[Word]) -> None:
    """`go build -ldflags TEXT`: another linker is another program."""
    (word,) = words
    if _OUTSIDE_LINKER.search(word.text):
        invocation.opaque("is told another linker")


@reader
def go_run(invocation: Invocation, words: Sequence[Word]) -> None:
    """`go run PACKAGE [WORD…]`: a package of the workspace, or one that is fetched."""
    before = take(invocation, words, stop=True)
    apply_given(invocation, Given(before.options))
    if before.next >= len(words):
        return
    package = words[before.next]
    if not package.exact:
        invocation.opaque("runs a package that is only known when it runs")
    elif "@" in package.text:
        invocation.act = "install"
        invocation.install(package)
        invocation.opaque(f"runs what it fetches from {package.text}")
    elif package.text.endswith(".go") or package.text.startswith(("/", "../")):
        own_file(invocation, package)


@reader
def go_install(invocation: Invocation, words: Sequence[Word]) -> None:
    """`go install PACKAGE@VERSION…` adds programs; a path is the workspace's own."""
    given = take(invocation, words)
    apply_given(invocation, Given(given.options))
    for word in given.operands:
        if "@" in word.text or not word.exact:
            invocation.act = "install"
            invocation.everywhere = True
            invocation.install(word)


@reader
def debugger(invocation: Invocation, words: Sequence[Word]) -> None:
    """`gdb [OPTION…] [PROGRAM | --args PROGRAM WORD…]`: what follows the program is its own."""
    texts = [word.text for word in words]
    marks = [texts.index(mark) for mark in ("--args", "-args") if mark in texts]
    given = take(invocation, words[: min(marks) + 2] if marks else words)
    invocation.given = given
    if given.has("-p", "--pid"):
        invocation.act = "debug"
    apply_given(invocation, given)


@reader
def debugger_command(invocation: Invocation, words: Sequence[Word]) -> None:
    """A command of gdb or lldb: those that cannot run a shell or call functions are known."""
    (word,) = words
    if not word.exact or not _DEBUGGER.fullmatch(word.text.strip()):
        invocation.opaque(f"is told to {word.text}, which cannot be read beforehand")


@reader
def published(invocation: Invocation, words: Sequence[Word]) -> None:
    """The effects of the table, unless it is a rehearsal (`--dry-run`)."""
    given = take(invocation, words)
    invocation.given.options += given.options
    invocation.given.operands = given.operands
    if given.has("-n", "--dry-run"):
        invocation.table = replace(invocation.table, effects=())
    apply_given(invocation, invocation.given)
