"""Readers of find and fd, which act on what they find."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_options
from supervisor.effects.programs.inputs import bounded, put
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.sets import names
from supervisor.effects.reading import Word

_BEFORE = names("-H -L -P -E -X -d -s -x -O1 -O2 -O3")
_ALONE = names(
    "-daystart -depth -d -follow -ignore_readdir_race -noignore_readdir_race -mount -noleaf "
    "-nowarn -warn -xdev -x -X -E -empty -executable -false -true -nogroup -nouser -readable "
    "-writable -print -print0 -prune -quit -ls -not -o -or -a -and ! ( ) , -sparse -delete"
)
_VALUED = names(
    "-maxdepth -mindepth -regextype -amin -anewer -atime -cmin -cnewer -ctime -fstype -gid -group "
    "-ilname -iname -inum -ipath -iregex -iwholename -links -lname -mmin -mtime -name -newer "
    "-path -perm -regex -samefile -size -type -uid -used -user -wholename -xtype -context -printf "
    "-Bmin -Btime -flags -fprint -fprint0 -fls -files0-from"
)
_RUNS = names("-exec -execdir -ok -okdir")
_NEWER = re.compile(r"-newer[aBcmt]{2}")
_NAMES = names("-name -iname")
_KINDS = names(
    "-type -xtype -maxdepth -mindepth -regextype -printf -fprint -fprint0 -fls -files0-from"
)
_PICKS = names("-empty -nouser -nogroup -sparse")
_ALTERNATIVE = names("-o -or ,")
# With these alone it finds all that is called so.
_EVERYWHERE = (
    _RUNS | _NAMES | names("-type -print -print0 -printf -depth -xdev -mount -o -or -a ( )")
)


@dataclass(frozen=True, slots=True)
class Predicate:
    name: str
    words: Sequence[Word] = ()


@reader
def find(invocation: Invocation, words: Sequence[Word]) -> None:
    """`find`: tests are harmless; actions delete, write and run."""
    roots, predicates = parsed(invocation, words)
    found = found_below(roots, predicates)
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
    if not selects(predicates):
        invocation.all_below(start)


def selects(predicates: Sequence[Predicate]) -> bool:
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


def parsed(invocation: Invocation, words: Sequence[Word]) -> tuple[list[Word], list[Predicate]]:
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


def found_below(roots: Sequence[Word], predicates: Sequence[Predicate]) -> list[Word]:
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
    for item in bounded(invocation, found):
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
