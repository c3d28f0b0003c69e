"""What a simple command does, by the table of its program."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.knowledge import (
    Knowledge,
    KnowledgeError,
    Operand,
    Option,
    Table,
    knowledge,
    variant,
)
from supervisor.effects.programs.invocation import (
    Invocation,
    base_name,
    run_effect,
)
from supervisor.effects.programs.options import Given, split
from supervisor.effects.programs.registry import find_reader
from supervisor.effects.programs.roles import TRUSTED, apply, from_input, rest
from supervisor.effects.programs.shapes import install_effect, push_effect, sql_effect
from supervisor.effects.reading import Reading, Shell, Where, Word

_HARMLESS = frozenset({"--help", "--version"})
_WRAPPED = Operand("program", many=True)
_MILD = ("project", "update", "interactive")  # acts that add nothing to a doubt


def read_program(
    words: Sequence[Word],
    where: Where,
    reading: Reading,
    shell: Shell,
    *,
    tables: Knowledge | None = None,
) -> None:
    """Add what the simple command `words` would do: its run first, then all the rest.

    `tables` is the knowledge that is shipped unless a test brings its own. Never raises for
    what stands in a command: what cannot be read is an effect that says so.
    """
    tables = tables or knowledge()
    position = len(reading.effects)
    reading.budget -= len(words) + 1
    if reading.budget <= 0:
        reading.add(run_effect(words[:1], why="is one of too many commands to judge"))
        return
    argv0 = words[0]
    name = base_name(argv0.text)
    if not argv0.exact or argv0.glob or not name:
        reading.add(run_effect(words, why="a program whose name is only known when it runs"))
        return
    fault = ""
    try:
        table = tables.table((name,))
        if table is not None:
            table, given, start = _subcommand(tables, table, words)
    except KnowledgeError as error:
        table, fault = None, f"is described wrongly: {error}"
    if table is None:
        reading.add(run_effect(words, known=False, why=fault or f"{name} is not known"))
        return
    invocation = Invocation(words, table, where, reading, shell, given)
    if "/" in argv0.text and not TRUSTED.fullmatch(argv0.text):
        invocation.opaque("is not in a directory of programs")
    try:
        if not _only_help(words, start):
            _interpret(invocation, words, start)
    except KnowledgeError as error:
        invocation.opaque(f"is described wrongly: {error}")
    finally:  # a walker that has had enough raises through us
        reading.effects.insert(position, invocation.effect())
    if invocation.why:
        _without_unknown(words, where, reading, shell, tables, position)
    if not invocation.known and invocation.table.operands[-1:] == (_WRAPPED,):
        _wherever(invocation, words, tables)


def _without_unknown(
    words: Sequence[Word],
    where: Where,
    reading: Reading,
    shell: Shell,
    tables: Knowledge,
    position: int,
) -> None:
    """Words that are only known when it runs may be nothing, or options that change nothing.

    So what the command does without them is said as well (`git $FLAGS push`).
    """
    rest = [word for word in words if word.exact]
    if len(rest) in {1, len(words)}:
        return
    mark = len(reading.effects)
    read_program(rest, where, reading, shell, tables=tables)
    acts = {"", *_MILD, reading.effects[position].attributes["act"]}
    said = reading.effects[position:mark]
    more = reading.effects[mark:]
    start = 1 if more[0].attributes["act"] in acts else 0
    reading.effects[mark:] = [effect for effect in more[start:] if effect not in said]


def _wherever(invocation: Invocation, words: Sequence[Word], tables: Knowledge) -> None:
    """A wrapper with options that are not known: what it runs begins at a name that is."""
    said = list(invocation.reading.effects)
    for index in range(2, len(words)):
        name = words[index].text
        if words[index].exact and name[:1] != "-" and base_name(name) in tables.programs:
            invocation.run(words[index:])
            break
    more = invocation.reading.effects[len(said) :]
    invocation.reading.effects[len(said) :] = [effect for effect in more if effect not in said]


def _only_help(words: Sequence[Word], start: int) -> bool:
    """`PROGRAM --version`, `PROGRAM SUBCOMMAND --help`."""
    last = words[-1]
    if len(words) != start + 1 or not last.exact or last.text not in _HARMLESS:
        return False
    return start == 1 or last.text == "--help"


def _subcommand(tables: Knowledge, table: Table, words: Sequence[Word]) -> tuple[Table, Given, int]:
    """The table of the longest key that `words` begin with, and where its words begin."""
    start = 1
    given = Given(next=1)
    while table.subcommands:
        before = split(words, start, table, stop=True)
        if before.next >= len(words):
            break
        if not words[before.next].exact:
            given.problems.append("has a subcommand that is only known when it runs")
            break
        child = tables.child(table, words[before.next].text)
        if child is None:
            break
        given.options += before.options
        given.problems += before.problems
        start = before.next + 1
        table = child
    return table, given, start


def interpret(invocation: Invocation, table: Table, words: Sequence[Word]) -> None:
    """`words` are those of the table's program: `python -m json.tool` hands on so."""
    act, source = invocation.act, invocation.source
    invocation.table, invocation.given = table, Given()
    _interpret(invocation, words, 0)
    invocation.act = invocation.act or act
    invocation.source = source


def _interpret(invocation: Invocation, words: Sequence[Word], start: int) -> None:
    """Everything that the words from `start` on mean by the invocation's table."""
    table, given = invocation.table, invocation.given
    for problem in given.problems:
        invocation.unknown(problem)
    conditional = bool(table.when or table.inherited_when)
    if conditional or not table.reader:
        rest = split(words, start, table)
        if conditional:
            changed = _changed(invocation, table, [*given.options, *rest.options], rest.operands)
            if changed is not table and not changed.reader:
                rest = split(words, start, changed)
            table = invocation.table = changed
    invocation.act = table.act
    invocation.everywhere = table.everywhere
    if table.reader:
        read = find_reader(table.reader)
        if read is None:
            invocation.opaque(f"needs the reader {table.reader}, which is missing")
        else:
            read(invocation, words[start:])
        return
    for problem in rest.problems:
        invocation.unknown(problem)
    given.options += rest.options
    given.operands += rest.operands
    apply_given(invocation, given)


def apply_given(invocation: Invocation, given: Given) -> None:
    """The effects of options and operands by the invocation's table; for readers as well."""
    apply_options(invocation, given)
    operands(invocation, given.operands)
    apply_effects(invocation)


def apply_options(invocation: Invocation, given: Given, *but: str) -> None:
    """What the values of options mean, but for the options `but`.

    The directory to work in comes first: the paths of other options are told from there.
    """
    told = [
        (option.role, value)
        for option, value in given.options
        if option.role is not None and value is not None and not set(option.names) & set(but)
    ]
    for role, value in sorted(told, key=lambda each: each[0] != "in"):
        apply(invocation, role, value)


def apply_effects(invocation: Invocation) -> None:
    """The effects that the invocation's table always has."""
    for written in invocation.table.effects:
        _written(invocation, written)


def _changed(
    invocation: Invocation,
    table: Table,
    options: Sequence[tuple[Option, Word | None]],
    operands: Sequence[Word],
) -> Table:
    """`table` with the `when` sub-tables that hold laid over it."""
    names = {name for option, _ in options for name in option.names}
    first = operands[0] if operands else None
    every = (*table.inherited_when, *table.when)
    matching = tuple(
        index
        for index, when in enumerate(every)
        if (when.options and not names.isdisjoint(when.options))
        or (when.operands and first is not None and first.text in when.operands)
    )
    if first is not None and not first.exact and any(when.operands for when in every):
        invocation.opaque("has a first word that is only known when it runs")
    if not matching:
        return table
    variants = table.variants
    found = variants.get(matching)
    if found is None:
        found = variants[matching] = variant(table, [every[index].changes for index in matching])
    return found


# ── Roles ───────────────────────────────────────────────────────────────────────────────


def operands(invocation: Invocation, words: Sequence[Word]) -> None:
    """Give each operand its role by the invocation's table."""
    table = invocation.table
    roles = table.operands
    if not words and (table.subcommands or not roles):
        if table.input:
            from_input(invocation)
        return
    if not roles:
        what = "subcommand" if table.subcommands else "word"
        invocation.unknown(f"does not know the {what} {words[0].text}")
        return
    executes = _assign(invocation, list(words), roles)
    if table.input and not executes and not any(_is_code(o.role) for o, _ in _valued(invocation)):
        from_input(invocation)


def _valued(invocation: Invocation) -> list[tuple[Operand, Word]]:
    return [
        (Operand(option.role), value)
        for option, value in invocation.given.options
        if option.role is not None and value is not None
    ]


def _assign(invocation: Invocation, words: list[Word], roles: tuple[Operand, ...]) -> bool:
    """Whether one of `words` is a program text or a script."""
    executes = False
    if roles[0].role == "assign" and roles[0].many:
        while words and "=" in words[0].text:
            apply(invocation, "assign", words.pop(0))
        roles = roles[1:]
    spare = len(words) - sum(1 for role in roles if not (role.many or role.optional))
    for position, role in enumerate(roles):
        if role.rest:
            rest(invocation, role.role, words)
            return executes
        count = 1
        if role.many:
            later = roles[position + 1 :]
            count = max(0, len(words) - sum(1 for other in later if not other.optional))
            spare = 0
        elif role.optional:
            if spare <= 0:
                continue
            spare -= 1
        for word in words[:count]:
            executes = executes or _is_code(role.role)
            if role.role == "opaque":  # its options are described, what its words do is not
                invocation.unknown(f"does not know what {word.text} makes it do")
            else:
                apply(invocation, role.role, word)
        del words[:count]
    for word in words:
        invocation.unknown(f"does not know what the word {word.text} is for")
    return executes


def _is_code(role: str) -> bool:
    return role == "script" or role.startswith("code:") or role == "command"


def _written(invocation: Invocation, written: tuple[str, ...]) -> None:
    """An effect that a table writes out."""
    match written:
        case ("read", path):
            invocation.read(Word(path))
        case ("write", path):
            invocation.write(Word(path))
        case ("delete", path):
            invocation.delete(Word(path))
        case ("connect", host):
            invocation.host(Word(host))
        case ("http", method, address):
            invocation.url(Word(address), method)
        case ("run", program):
            invocation.run([Word(program)])
        case ("push", remote, ref, *how):
            invocation.add(push_effect(remote, ref, force="force" in how, delete="delete" in how))
        case ("sql", statement, names):
            invocation.add(sql_effect("", statement, names, remote=False))
        case ("install", manager, package):
            invocation.add(install_effect(manager, package, everywhere=invocation.everywhere))
        case ("operate", system, operation, degree):
            invocation.operate(system, operation, degree)
        case _:
            invocation.opaque("does what cannot be read beforehand")
