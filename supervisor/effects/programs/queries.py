"""Programs that query structured data: jq, yq, Miller; Graphviz; and when a pager waits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word

_JQ_FLAGS = re.compile(
    r"-[nrRsSCMacjeh]+|--(?:null-input|raw-input|raw-output0?|slurp|compact-output|color-output|"
    r"monochrome-output|ascii-output|unbuffered|sort-keys|join-output|exit-status|tab|stream|"
    r"stream-errors|seq|help|version|build-configuration|yaml-output|yaml-input|"
    r"yaml-roundtrip|toml-output|xml-output|raw|from|to)|-[yYVt]"
)
_JQ_IMPORTS = re.compile(r"(?<![.\w$])(?:import|include)\s*\"")
_YQ_FLAGS = re.compile(
    r"-[nrCMNPjeSvVUIh0]+|-[yY]|--(?:null-input|no-colors|colors|no-doc|prettyPrint|unwrapScalar|"
    r"exit-status|tojson|verbose|version|header-preprocess|nul-output|string-interpolation|"
    r"raw-output|compact-output|yaml-output|yaml-roundtrip|slurp|sort-keys|width|null-value)(?:=.*)?|"
    r"-r=\S+|-I=?\d+|-o=?\w+|-p=?\w+|-M=\S+|--(?:output-format|input-format|indent|"
    r"(?:xml|csv|tsv|lua|properties|json|yaml)-[\w-]+|front-matter|security-[\w-]+)=\S*|-f=?\w+"
)
_YQ_VALUES = frozenset({"-o", "-p", "-I", "-f", "--output-format", "--input-format", "--indent"})
_YQ_LOADS = re.compile(r"\bload(?:_\w+)?\s*\(|\bsystem\s*\(|(?<![.\w$])(?:import|include)\s*\"")
_DATA = re.compile(
    r"(?!\.[^/])[^\s|(){}\[\]=\"']+\.(?:ya?ml|json|toml|xml|csv|tsv|properties|lua)|/\S+"
)
_MILLER_RUNS = re.compile(
    r"\b(?:system|exec|hostname|os_type|output_file)\b|\b(?:tee|emit\w*|print\w*|dump)\b[^;]*[>|]|\|"
)
_MAX_EXPRESSION = 2000  # characters of one that is looked at
_MILLER_VALUES = frozenset(
    {
        "--ifs",
        "--ofs",
        "--fs",
        "--ips",
        "--ops",
        "--ps",
        "--irs",
        "--ors",
        "--rs",
        "--nr-progress-mod",
    }
    | {"--ofmt", "--fflatsep", "--oflatsep", "--jflatsep", "--records-per-batch", "--tz", "--c2l"}
)


@reader
def jq(invocation: Invocation, words: Sequence[Word]) -> None:
    """`jq [OPTION…] FILTER [FILE…]`: a filter only computes, unless it imports."""
    position = 0
    filtered = False
    files = True
    while position < len(words):
        word = words[position]
        text = word.text
        position += 1
        if not word.exact and (text[:1] in {"", "-"}) and filtered is False:
            invocation.opaque("has a word that may turn out to be an option")
        if not text.startswith("-") or text == "-":
            if not filtered:
                filtered = True
                if _JQ_IMPORTS.search(text):
                    invocation.opaque("has a filter that imports files")
            elif files and text != "-":
                invocation.read(word)
        elif text in {"--arg", "--argjson"}:
            position += 2
        elif text in {"--slurpfile", "--rawfile", "--argfile"}:
            if position + 1 < len(words):
                invocation.read(words[position + 1])
            position += 2
        elif text in {"--args", "--jsonargs"}:
            files = False
        elif text in {"-f", "--from-file", "-L", "--library-path"} and position < len(words):
            invocation.read(words[position])
            filtered = filtered or text in {"-f", "--from-file"}
            position += 1
        elif text == "--indent":
            position += 1
        elif text == "--":
            continue
        elif not _JQ_FLAGS.fullmatch(text):
            invocation.opaque(f"does not know option {text}")


@reader
def yq(invocation: Invocation, words: Sequence[Word]) -> None:
    """`yq [eval|eval-all] [OPTION…] [EXPRESSION] [FILE…]`; with `-i` the file is changed."""
    operands: list[Word] = []
    in_place = False
    position = 0
    while position < len(words):
        word = words[position]
        text = word.text
        position += 1
        if text in {"-i", "--inplace", "--in-place", "-yi", "-iy"}:
            in_place = True
        elif text in _YQ_VALUES:
            position += 1
        elif text in {"--arg", "--argjson"}:
            position += 2
        elif text == "--from-file" and position < len(words):
            invocation.read(words[position])
            position += 1
        elif text in {"-s", "--split-exp"} and position < len(words):
            invocation.opaque("writes files that the data names")
            position += 1
        elif not text.startswith("-") or text == "-":
            operands.append(word)
        elif not _YQ_FLAGS.fullmatch(text):
            invocation.opaque(f"does not know option {text}")
    if operands and operands[0].text in {"eval", "e", "eval-all", "ea", "read", "r"}:
        operands = operands[1:]
    if operands and not (operands[0].exact and _DATA.fullmatch(operands[0].text)):
        expression = operands.pop(0)
        if _YQ_LOADS.search(expression.text) or not (expression.exact or expression.text):
            invocation.opaque("has an expression that reads files")
    for word in operands:
        if word.text != "-" and invocation.read(word) and in_place:
            invocation.write(word)


@reader
def miller(invocation: Invocation, words: Sequence[Word]) -> None:
    """`mlr [OPTION…] VERB [WORD…] [then VERB…] [FILE…]`: words after the verbs may be files."""
    started = False
    for index, word in enumerate(words):
        text = word.text
        before = words[index - 1].text if index else ""
        if not word.exact:
            invocation.opaque("has a word that is only known when it runs")
        elif text.startswith("-"):
            if re.match(r"--(?:prepipe|from|load|mload)|-s$|-I$", text):
                invocation.opaque(f"is told {text}")
        elif not started:
            started = before not in _MILLER_VALUES
        elif (
            len(text) > _MAX_EXPRESSION
            or _MILLER_RUNS.search(text)
            or text in {"split", "tee", "case"}
        ):
            invocation.opaque("has an expression that can run programs or write files")
        elif re.fullmatch(r"[\w.+-]*/[\w./+-]+|[\w+-]+\.[\w.+-]+", text):
            invocation.read(word)


@reader
def graphviz(invocation: Invocation, words: Sequence[Word]) -> None:
    """`dot -TFORMAT [-oFILE] [FILE…]`; `-O` writes beside each file."""
    files: list[Word] = []
    position = 0
    beside, form = False, "gv"
    while position < len(words):
        word = words[position]
        text = word.text
        position += 1
        if not text.startswith("-"):
            files.append(word)
        elif text == "-o" and position < len(words):
            invocation.write(words[position])
            position += 1
        elif text.startswith("-o"):
            invocation.write(replace(word, text=text[2:]))
        elif text.startswith("-T"):
            form = text[2:] or form
        elif text == "-O":
            beside = True
        elif text == "-l" or not re.match(r"-[GNEKsnvVqxycP]", text):
            invocation.opaque(f"is told {text}")
            position += 1 if text == "-l" else 0
    for word in files:
        if invocation.read(word) and beside:
            invocation.write(replace(word, text=f"{word.text}.{form.partition(':')[0]}"))


@reader
def pandoc_format(invocation: Invocation, words: Sequence[Word]) -> None:
    """`pandoc -f FORMAT`: a name, or a program in Lua."""
    (word,) = words
    if not word.exact or "/" in word.text or ".lua" in word.text:
        invocation.opaque(f"converts by the program {word.text}")


@reader
def paging(invocation: Invocation, words: Sequence[Word]) -> None:
    """`--paging=WHEN`: a pager that always waits lets a person run anything."""
    (word,) = words
    if word.text not in {"never", "auto"}:
        invocation.act = invocation.act or "interactive"
        invocation.opaque("waits in a pager")
