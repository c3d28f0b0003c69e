"""Readers of programs that run another program with words of their own making."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from supervisor.effects.knowledge import Table
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply, apply_options, joined, rest
from supervisor.effects.programs.invocation import Invocation, base_name
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Feed, Reading, Where, Word

_SPLIT = re.compile(r'[\\$"\'#]')
_ENV_VALUED = frozenset({"-u", "--unset", "-C", "--chdir", "-P", "-a", "--argv0"})
_UNKNOWN = Word("", exact=False)
_MAX_RUNS = 32  # words that a command is run for one by one
_COST = 40  # steps of the budget
_MAX_INPUT = 200  # words from a known input that are handed on


@reader
def environment(invocation: Invocation, words: Sequence[Word]) -> None:
    """`env`: `-S TEXT` is split into words, then come settings and the program."""
    words = list(words)
    before = ""
    for index, word in enumerate(words):
        before, text = word.text, word.text if before not in _ENV_VALUED else "-"
        if not text.startswith("-"):
            break
        split_text, length = "", 0
        if text in {"-S", "--split-string"} and index + 1 < len(words):
            split_text, length, word = words[index + 1].text, 2, words[index + 1]
        elif text.startswith("--split-string="):
            split_text, length = text.partition("=")[2], 1
        elif re.fullmatch(r"-[iv0]*S.+", text, re.DOTALL):
            split_text, length = text.partition("S")[2], 1
        if length:
            words[index : index + length] = _split_text(invocation, replace(word, text=split_text))
            break
    given = take(invocation, words)
    for option, value in given.options:
        if option.role is not None and value is not None:
            apply(invocation, option.role, value)
    operands = list(given.operands)
    while operands and "=" in operands[0].text:  # any word that has one, says env
        apply(invocation, "assign", operands.pop(0))
    rest(invocation, "program", operands)


def _split_text(invocation: Invocation, word: Word) -> list[Word]:
    """The words of `env -S TEXT`; escapes and variables are not followed."""
    parts = word.text.split()
    if not word.exact or re.search(r"[\\$#]", word.text):
        invocation.opaque("splits a text by rules of its own")
    else:
        try:
            parts = shlex.split(word.text)
        except ValueError:
            invocation.opaque("splits a text by rules of its own")
    return [Word(part) for part in parts]


@reader
def locked(invocation: Invocation, words: Sequence[Word]) -> None:
    """`flock FILE PROGRAM…` or `flock FILE -c TEXT`; a number is an open file."""
    given = take(invocation, words)
    operands = given.operands
    if not operands:
        return
    if not operands[0].text.isdigit():
        invocation.write(operands[0])
    if len(operands) > 1 and operands[1].text in {"-c", "--command"}:
        rest(invocation, "commands", operands[2:])
    else:
        rest(invocation, "program", operands[1:])


@reader
def traced(invocation: Invocation, words: Sequence[Word]) -> None:
    """`strace`: an output that begins with `|` or `!` is a command."""
    given = take(invocation, words)
    output = given.value("-o")
    if output is not None and output.text[:1] in {"|", "!"}:
        invocation.opaque("writes its output to a command")
        apply_options(invocation, given, "-o")
    else:
        apply_options(invocation, given)
    rest(invocation, "program", given.operands)


@reader
def applet(invocation: Invocation, words: Sequence[Word]) -> None:
    """`busybox NAME …` is the program NAME."""
    if words and words[0].text.startswith("-"):
        if words[0].text not in {"--list", "--list-full", "--help", "--long"}:
            invocation.unknown(f"does not know option {words[0].text}")
        return
    rest(invocation, "program", words)


@reader
def loader(invocation: Invocation, words: Sequence[Word]) -> None:
    """The dynamic loader runs the program that follows its options."""
    words = list(words)
    while words and words[0].text.startswith("--"):
        option = words.pop(0).text
        if option not in {"--list", "--verify"}:
            invocation.opaque(f"loads libraries by {option}")
        if option in {"--preload", "--library-path", "--audit", "--argv0"} and words:
            words.pop(0)
    rest(invocation, "program", words)


# ── Words from an input ─────────────────────────────────────────────────────────────────


@reader
def xargs(invocation: Invocation, words: Sequence[Word]) -> None:
    """`xargs PROGRAM …`: words from the input come last, or where `-I` says."""
    given = take(invocation, words)
    apply_options(invocation, given, "-I", "-i")
    command = list(given.operands) or [Word("echo")]
    found = _input_words(invocation, null=given.has("-0", "--null"))
    if given.has("-a", "--arg-file"):
        found = None
    start = len(invocation.reading.effects)
    mark = given.value("-I")
    if mark is None and given.has("-i", "--replace"):
        mark = given.value("-i") or Word("{}")
    if mark is None:
        fed = [*command, *(found if found is not None else [_UNKNOWN])]
        invocation.run(fed)
    else:
        for item in _bounded(invocation, found) if found is not None else [_UNKNOWN]:
            invocation.run([put(word, mark.text, item) for word in command])
    if found is not None and invocation.where.feed.everything:
        invocation.all_below(start)


def _bounded(invocation: Invocation, items: Sequence[Word]) -> Sequence[Word]:
    """As many of `items` as are judged one by one; each costs, since they may multiply."""
    if len(items) > _MAX_RUNS:
        invocation.opaque("runs a command for too many words to judge")
    invocation.reading.budget -= _COST * len(items[:_MAX_RUNS])
    return items[:_MAX_RUNS]


def _input_words(invocation: Invocation, *, null: bool) -> list[Word] | None:
    """The words on the input; None when they are only known when it runs."""
    where = invocation.where
    if where.feed.words:
        return list(where.feed.words)
    text = where.stdin_text
    if null or not text or _SPLIT.search(text):
        return None
    found = [Word(word) for word in text.split()]
    return found if len(found) <= _MAX_INPUT else None


def put(word: Word, mark: str, item: Word) -> Word:
    """`word` with `item` in the place of `mark`."""
    if not mark or mark not in word.text:
        return word
    begins = ""
    if not item.exact:
        begins = word.text.partition(mark)[0]
    return Word(
        word.text.replace(mark, item.text),
        exact=word.exact and item.exact,
        glob=word.glob or item.glob,
        quoted=word.quoted,
        begins=begins,
        deep=item.deep,
    )


@reader
def parallel(invocation: Invocation, words: Sequence[Word]) -> None:
    """GNU parallel builds shell texts from a template; they are only known when it runs."""
    invocation.opaque("builds commands from its input")
    command: list[Word] = []
    for word in words:
        if word.text.startswith(":::"):
            break
        if command or not word.text.startswith("-"):
            command.append(word)
    if command:
        invocation.script(joined(command))


# ── find and fd ─────────────────────────────────────────────────────────────────────────


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


_BEFORE = _set("-H -L -P -E -X -d -s -x -O1 -O2 -O3")
_ALONE = _set(
    "-daystart -depth -d -follow -ignore_readdir_race -noignore_readdir_race -mount -noleaf "
    "-nowarn -warn -xdev -x -X -E -empty -executable -false -true -nogroup -nouser -readable "
    "-writable -print -print0 -prune -quit -ls -not -o -or -a -and ! ( ) , -sparse -delete"
)
_VALUED = _set(
    "-maxdepth -mindepth -regextype -amin -anewer -atime -cmin -cnewer -ctime -fstype -gid -group "
    "-ilname -iname -inum -ipath -iregex -iwholename -links -lname -mmin -mtime -name -newer "
    "-path -perm -regex -samefile -size -type -uid -used -user -wholename -xtype -context -printf "
    "-Bmin -Btime -flags -fprint -fprint0 -fls -files0-from"
)
_RUNS = _set("-exec -execdir -ok -okdir")
_NEWER = re.compile(r"-newer[aBcmt]{2}")
_NAMES = _set("-name -iname")
_KINDS = _set(
    "-type -xtype -maxdepth -mindepth -regextype -printf -fprint -fprint0 -fls -files0-from"
)
_PICKS = _set("-empty -nouser -nogroup -sparse")
_ALTERNATIVE = _set("-o -or ,")
# With these alone it finds all that is called so.
_EVERYWHERE = (
    _RUNS | _NAMES | _set("-type -print -print0 -printf -depth -xdev -mount -o -or -a ( )")
)


@dataclass(frozen=True, slots=True)
class Predicate:
    name: str
    words: Sequence[Word] = ()


@reader
def find(invocation: Invocation, words: Sequence[Word]) -> None:
    """`find`: tests are harmless; actions delete, write and run."""
    roots, predicates = _parsed(invocation, words)
    found = _found(roots, predicates)
    acts = any(p.name in _RUNS or p.name == "-delete" for p in predicates)
    start = len(invocation.reading.effects)
    for predicate in predicates:
        match predicate.name, predicate.words:
            case "-delete", _:
                for item in found:
                    invocation.delete(item)
            case (("-fprint" | "-fprint0" | "-fls" | "-fprintf"), [target, *_]):
                invocation.write(target)
            case "-files0-from", [target]:
                if target.text != "-":
                    invocation.read(target)
                if acts:
                    invocation.opaque("takes where it starts from a list")
            case ("-exec" | "-execdir" | "-ok" | "-okdir") as name, command:
                _run_on(invocation, command, found, here=name.endswith("dir"))
    if not _selects(predicates):
        invocation.all_below(start)


def _selects(predicates: Sequence[Predicate]) -> bool:
    """Whether a test picks some of what is there: not by kind, by depth, or by what it is not."""
    edge = Predicate("")
    around = zip([edge, *predicates], predicates, [*predicates[1:], edge], strict=False)
    return any(
        (predicate.name in (_VALUED - _KINDS) | _PICKS or _NEWER.fullmatch(predicate.name))
        and before.name not in {"!", "-not"}
        and after.name != "-prune"
        and not any(word.exact and word.text == "*" for word in predicate.words)
        for before, predicate, after in around
    )


def _parsed(invocation: Invocation, words: Sequence[Word]) -> tuple[list[Word], list[Predicate]]:
    """Where it starts, and its tests and actions; what is unknown is said as a reason."""
    index = 0
    while index < len(words) and (words[index].text in _BEFORE or words[index].text == "-D"):
        index += 2 if words[index].text == "-D" else 1
    roots: list[Word] = []
    while index < len(words):
        word = words[index]
        if word.text[:1] in {"-", "(", "!", ","} and word.text != "-f":
            break
        if word.text == "-f":
            index += 1
            continue
        if not word.exact and word.begins[:1] in {"", "-"}:
            invocation.opaque("has a word that may turn out to be an action")
        roots.append(word)
        index += 1
    predicates: list[Predicate] = []
    while index < len(words):
        name = words[index].text
        index += 1
        if not words[index - 1].exact:
            invocation.opaque("has a word that may turn out to be an action")
        elif name in _RUNS:
            end = index
            while end < len(words) and words[end].text != ";":
                if words[end].text == "+" and words[end - 1].text == "{}":
                    break
                end += 1
            predicates.append(Predicate(name, words[index:end]))
            index = end + 1
        elif name in _ALONE:
            predicates.append(Predicate(name))
        else:
            count = 2 if name == "-fprintf" else 1
            if name not in _VALUED and count == 1 and not _NEWER.fullmatch(name):
                invocation.unknown(f"does not know option {name}")
                count = 0
            predicates.append(Predicate(name, words[index : index + count]))
            index += count
    return roots or [Word(".")], predicates


def _found(roots: Sequence[Word], predicates: Sequence[Predicate]) -> list[Word]:
    """What may be found below `roots`: by name where every alternative tests one."""
    names: list[Word] = []
    alternatives = [False]
    negated = False
    for before, predicate in zip([Predicate(""), *predicates], predicates, strict=False):
        refuses = before.name in {"!", "-not"}
        if predicate.name in _ALTERNATIVE:
            alternatives.append(False)
        elif predicate.name == "(" and refuses:
            negated = True
        elif predicate.name in _NAMES and predicate.words and not refuses:
            names.append(predicate.words[0])
            alternatives[-1] = True
    if negated or not all(alternatives):
        names = [Word("*")]
    deep = all(predicate.name in _EVERYWHERE for predicate in predicates)
    return [below(root, name, deep=deep) for root in roots for name in names]


def below(root: Word, name: Word, *, deep: bool = False) -> Word:
    """A file called `name` somewhere below `root`."""
    text = f"{root.text.rstrip('/')}/{name.text}"
    return Word(text, root.exact and name.exact, glob=True, begins=root.begins, deep=deep)


def _run_on(
    invocation: Invocation, command: Sequence[Word], found: Sequence[Word], *, here: bool
) -> None:
    """The command of an action, with what is found in the place of `{}`."""
    where = invocation.deeper()
    for item in _bounded(invocation, found):
        if here and where.cwd:  # it runs where the file lies: `{}` is told from the top
            item = replace(item, text=os.path.join(where.cwd, item.text))
        invocation.run(
            [put(word, "{}", item) for word in command], replace(where, cwd="") if here else where
        )


@reader
def fd(invocation: Invocation, words: Sequence[Word]) -> None:
    """`fd [PATTERN [PATH…]]`, with a command after `-x` or `-X`."""
    command: list[Word] = []
    own = list(words)
    for index, word in enumerate(words):
        if word.text in {"-x", "-X", "--exec", "--exec-batch"}:
            own, command = list(words[:index]), list(words[index + 1 :])
            break
    given = take(invocation, own)
    apply_options(invocation, given)
    if not command:
        return
    if not any("{" in word.text for word in command):
        command.append(Word("{}"))
    for root in given.operands[1:] or [Word(".")]:
        fed = command
        for mark in ("{//}", "{/.}", "{/}", "{.}", "{}"):
            fed = [put(word, mark, below(root, Word("*"))) for word in fed]
        invocation.run(fed)


# ── What a program writes to a pipe ─────────────────────────────────────────────────────


class _Nobody:
    """A shell for who only wants to know how words are read."""

    def run(self, words: Sequence[Word], where: Where, reading: Reading) -> None: ...

    def script(self, text: Word, where: Where, reading: Reading) -> None: ...


# What comes in goes out again, all of it in another order or some of it.
_REORDERS = _set("sort gsort uniq tac tee shuf cat")
_MATCHERS = _set("grep egrep fgrep")
_FILTERS = _REORDERS | _MATCHERS | _set("head tail")
_LISTS = re.compile(r"-[A-Za-z]*[lL]|--files")
_ANYTHING = frozenset({"", ".", ".*", "^", "$"})  # patterns that pick nothing out
_NO_TABLE = Table(("find",), "")


def _exact(words: Sequence[Word]) -> bool:
    return all(word.exact for word in words)


def _operands(words: Sequence[Word]) -> list[Word]:
    return [word for word in words[1:] if word.text[:1] != "-"]


def _filters(name: str, words: Sequence[Word]) -> bool:
    """Whether it goes through its input: it is given no file."""
    given = [word for word in _operands(words) if not word.text.isdigit()]
    return _exact(words) and (name == "tee" or len(given) <= (name in _MATCHERS))


def _names(name: str, words: Sequence[Word]) -> bool:
    """Whether a search prints names of files, and not what stands in them."""
    return name in {"fd", "fdfind"} or any(_LISTS.match(word.text) for word in words[1:])


def _is_directory(word: Word, where: Where) -> bool:
    return os.path.isdir(os.path.join(where.cwd or "/", word.text))


def feeds(words: Sequence[Word], where: Where) -> Feed:
    """The file names that the simple command `words` prints, as far as they are known.

    For `xargs` behind it. A name with a wildcard stands for all below its directory.
    """
    name = base_name(words[0].text) if words else ""
    match name:
        case "find" | "gfind":
            silent = Invocation(words, _NO_TABLE, where, Reading(), _Nobody())
            roots, predicates = _parsed(silent, words[1:])
            if silent.why:
                return Feed()
            return Feed(tuple(_found(roots, predicates)), not _selects(predicates))
        case "git" if len(words) > 1 and words[1].text in {"ls-files", "diff", "grep"}:
            every = words[1].text == "ls-files" and not _operands(words[1:])
            return Feed((below(Word("."), Word("*")),), every)
        case "ls" if _exact(words):
            # Of a directory it prints the names alone, of a file what it was given.
            return Feed((*_operands(words), Word("*", glob=True)))
        case _ if name in _FILTERS and where.stdin and _filters(name, words):
            picks = name not in _REORDERS
            return Feed(where.feed.words, where.feed.everything and not picks)
        case "grep" | "egrep" | "rg" | "fd" | "fdfind" if _exact(words) and _names(name, words):
            given = _operands(words)
            if not any(word.text == "--files" for word in words):
                pattern, given = given[:1], given[1:]
                every = not pattern or pattern[0].text in _ANYTHING
            else:
                every = True
            roots = given or [Word(".")]
            files = [root for root in roots if not _is_directory(root, where)]
            return Feed((*files, *[below(root, Word("*")) for root in roots]), every)
    return Feed()
