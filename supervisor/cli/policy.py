"""`taskpass policy …`: read rules, try them, and take them over from other tools."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor import places
from supervisor.errors import PolicyError, UsageError
from supervisor.model import Tier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from supervisor.policy.engine import CedarEngine
    from supervisor.policy.source import PolicySource


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass policy", description="Rules that decide what goes on, asks, or is refused."
    )
    verbs = made.add_subparsers(dest="verb", required=True)

    show = verbs.add_parser("show", help="the rules in force, in order")
    show.add_argument("--preset", default="", help="another preset than the configured one")

    check = verbs.add_parser("check", help="what is wrong in policy files: file, line, column")
    check.add_argument("files", nargs="*", type=Path, help="else your own, and the project's")

    explain = verbs.add_parser("explain", help="why a call is decided as it is")
    explain.add_argument("--call", default="", metavar="ID", help="a call on record")
    explain.add_argument("--json", default="", metavar="ROW", help="a row as `eval` reads it")
    explain.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    _where(explain)

    evaluate = verbs.add_parser("eval", help="judge rows of JSON, one a line")
    evaluate.add_argument("--preset", default="standard")
    evaluate.add_argument("--jsonl", default="-", metavar="FILE", help="- reads standard input")
    evaluate.add_argument(
        "--policy", action="append", type=Path, default=[], metavar="FILE", help="add this file"
    )
    _where(evaluate)

    test = verbs.add_parser("test", help="try the examples beside rules")
    test.add_argument("files", nargs="*", type=Path, help="else the preset, and your own")

    back = verbs.add_parser("backtest", help="what a file would have decided in the past")
    back.add_argument("file", type=Path)
    back.add_argument("--since", default="", metavar="DAYS|DATE", help="7, or 2026-11-01")

    verbs.add_parser("accept", help="look at what your files loosen, and put it in force")

    take = verbs.add_parser("import", help="rules of another tool as a policy file")
    take.add_argument("tool", help="claude-code, codex, cursor, openclaw or keycard")
    take.add_argument("file", type=Path)
    take.add_argument("-o", "--output", type=Path, metavar="OUT", help="else standard output")
    take.add_argument("--mail", default="", help="who you are in Keycard's rules")
    return made


def _where(parser: argparse.ArgumentParser) -> None:
    tier = parser.add_mutually_exclusive_group()
    tier.add_argument("--contained", action="store_true", help="as a contained task")
    tier.add_argument("--uncontained", action="store_true", help="as an uncontained one (default)")
    parser.add_argument("--workspace", default=".", metavar="DIR", help="where the task works")
    parser.add_argument("--home", default="", metavar="DIR", help="the person's home directory")


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    verbs = {
        "show": _show,
        "check": _check,
        "explain": _explain,
        "eval": _eval,
        "test": _test,
        "backtest": _backtest,
        "import": _import,
        "accept": _accept,
    }
    return verbs[options.verb](options)


# ── Which policies ──────────────────────────────────────────────────────────────────────────


def _preset() -> str:
    from supervisor.config import load_user_config

    return load_user_config(Path(places.config()) / "config.toml").preset


def _own(preset: str) -> CedarEngine:
    """What is in force for this person, without a project's rules."""
    from supervisor.policy.engine import CedarEngine

    config = Path(places.config())
    return CedarEngine.load(
        preset, user_directory=config / "policy", user_rules=config / "rules.toml"
    )


def _in_force(workspace: str, preset: str = "") -> CedarEngine:
    """As `_own`, with the rules of the project in `workspace`."""
    from supervisor.policy.project import read_project

    preset = preset or _preset()
    return _own(preset).tightened(read_project(workspace).sources_for(preset))


def _source(path: Path) -> PolicySource:
    from supervisor.policy.files import read_policy
    from supervisor.policy.rules_file import load_rules
    from supervisor.policy.source import Layer, PolicySource

    if path.name == "rules.toml":
        return load_rules(path)
    return PolicySource(str(path), read_policy(path), Layer.USER)


def _with(files: list[Path], preset: str = "standard") -> CedarEngine:
    from supervisor.policy.engine import CedarEngine
    from supervisor.policy.files import preset_sources

    return CedarEngine([*preset_sources(preset), *map(_source, files)])


def _accept(options: argparse.Namespace) -> int:
    from supervisor.cli.policy_accept import accept

    return accept()


# ── Verbs ───────────────────────────────────────────────────────────────────────────────────


def _show(options: argparse.Namespace) -> int:
    engine = _in_force(".", options.preset)
    layer = None
    for policy in engine.policies:
        if policy.layer is not layer:
            layer = policy.layer
            print(f"{layer.name.lower()}:")
        does = "deny" if not policy.permits else "allow" if policy.ask is None else "ask"
        words = policy.description if policy.ask is None else policy.ask
        print(f"  {does:5}  {policy.id:<36} {words}  ({policy.location})")
    return 0


def _check(options: argparse.Namespace) -> int:
    files = options.files or list(_own_files())
    wrong = 0
    for file in files:
        try:
            print(f"{file}: {_checked(file)}")
        except PolicyError as error:
            wrong += 1
            print(f"{error}", file=sys.stderr)
    if not files:
        print(f"There is nothing of yours in {places.config()}; the preset alone is in force.")
    return 1 if wrong else 0


def _own_files() -> Iterator[Path]:
    config = Path(places.config())
    yield from sorted((config / "policy").glob("*.cedar"))
    for path in (config / "rules.toml", Path("taskpass.toml")):
        if path.exists():
            yield path


def _checked(file: Path) -> str:
    """What a good file holds. Raises PolicyError."""
    from supervisor.policy.examples import check
    from supervisor.policy.project import NAME, read_project
    from supervisor.policy.source import Layer

    if file.name == NAME:
        project = read_project(str(file.parent))
        engine = _with([]).tightened(project.sources)
        layer = Layer.PROJECT
    else:
        engine, layer = _with([file]), Layer.USER
    policies = [policy for policy in engine.policies if policy.layer is layer]
    tried = check(policies)
    return f"ok, {len(policies)} policies, {tried} examples"


def _explain(options: argparse.Namespace) -> int:
    from profiles import all_profiles
    from supervisor.cli.explanation import explanation
    from supervisor.policy.evaluate import Evaluator

    row, contained = _row(options)
    engine = _in_force(options.workspace)
    evaluator, other = (
        Evaluator(engine, tier, options.workspace, options.home, all_profiles())
        for tier in (contained, not contained)
    )
    for line in explanation(evaluator, other, row, contained):
        print(line)
    return 0


def _row(options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """What to explain, and whether it is contained."""
    import json
    import shlex

    words = options.words[1:] if options.words[:1] == ["--"] else options.words
    if sum(map(bool, (options.call, options.json, words))) != 1:
        raise UsageError(
            "Say what to explain.",
            hint="`taskpass policy explain -- COMMAND`, or --call ID, or --json ROW.",
        )
    if options.call:
        return _recorded(options.call)
    if words:
        text = words[0] if len(words) == 1 else shlex.join(words)
        return {"command": text}, options.contained
    try:
        row = json.loads(options.json)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--json holds no JSON: {error}.") from None
    if not isinstance(row, dict):
        raise UsageError("--json holds no object.")
    return row, options.contained


def _recorded(call: str) -> tuple[dict[str, Any], bool]:
    from supervisor.errors import NotFound

    kinds = ("call.opened", "call.denied")
    found = [r for r in _history(kinds) if str(r.get("call", "")).startswith(call)]
    if not found:
        raise NotFound(f"There is no call {call} on record.", hint="See `taskpass history`.")
    record = found[-1]
    print(f"on record: {record['outcome']}: {record.get('reason', '')}")
    if not any(str(label).startswith("run ") for label in record.get("effects", ())):
        raise UsageError(
            "Only commands are kept as they were; of other tools, their effects: "
            + ", ".join(map(str, record.get("effects", ()))),
            hint="Try the tool's input with --json.",
        )
    return {"command": record["preview"]}, record.get("tier") in (Tier.A, Tier.B)


def _history(kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """All records of these kinds, oldest first."""
    from supervisor.cli.session import with_client
    from supervisor.client import AsyncClient

    async def read(client: AsyncClient) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = []
        while True:
            after = int(records[-1]["seq"]) if records else -1
            page = await client.history(after=after, limit=1000, kinds=kinds)
            if not page:
                return records
            records += page

    return with_client(read)


def _eval(options: argparse.Namespace) -> int:
    import json
    from dataclasses import replace

    from profiles import all_profiles
    from supervisor.policy.evaluate import Evaluator

    engine = _with(options.policy, options.preset)
    evaluator = Evaluator(
        engine, options.contained, options.workspace, options.home, all_profiles()
    )
    rows = sys.stdin.buffer if options.jsonl == "-" else open(options.jsonl, "rb")  # noqa: SIM115
    with rows:
        for line in rows:
            if not line.strip():
                continue
            try:
                evaluation = evaluator.evaluate(json.loads(line))
            except (ValueError, RecursionError):
                reason = "This row cannot be judged: the line is not JSON."
                evaluation = replace(evaluator.evaluate(None), reasons=(reason,))
            sys.stdout.write(json.dumps(evaluation.row()) + "\n")
            sys.stdout.flush()
    return 0


def _test(options: argparse.Namespace) -> int:
    from supervisor.policy.examples import examples_of, failure, holds

    engine = _with(options.files) if options.files else _in_force(".")
    names = {str(file) for file in options.files}
    tried = failed = 0
    for policy in engine.policies:
        if names and policy.location.rpartition(":")[0] not in names:
            continue
        for example in examples_of(policy):
            tried += 1
            if not holds(example):
                failed += 1
                print(failure(example).message, file=sys.stderr)
    print(f"{tried} examples, {failed} failed")
    return 1 if failed else 0


def _backtest(options: argparse.Namespace) -> int:
    from supervisor.policy.backtest import KINDS, backtest
    from supervisor.policy.engine import CedarEngine

    own = _own(_preset())
    path = str(options.file)
    # A file that is in force already is compared with the rules without it.
    others = [s for s in own.sources if Path(s.name).resolve() != options.file.resolve()]
    before = CedarEngine(others)
    after = CedarEngine([*others, _source(options.file)])
    since = _since(options.since)
    records = [
        record
        for record in _history(KINDS)
        if record["kind"] == "task.started" or record["time"] >= since
    ]
    report = backtest(records, before, after)
    print(
        f"{path}: of {report.judged} past calls and requests, {len(report.changes)} would have "
        f"been decided otherwise; {report.unreadable} cannot be read again."
    )
    for change in report.changes:
        title = change.past.title.splitlines()[0][:90] if change.past.title else ""
        print(
            f"{change.past.seq:>6}  {change.before.value:5} → {change.after.value:5}  {title}"
            f"  [{', '.join(change.policies)}]"
        )
    return 0


def _since(text: str) -> float:
    """POSIX seconds. Raises UsageError."""
    import time
    from datetime import datetime

    if not text:
        return 0.0
    try:
        if text.isdecimal():
            return time.time() - int(text) * 86400.0
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is neither a number of days nor a date.", hint="Say 7, or 2026-11-01."
        ) from None


def _import(options: argparse.Namespace) -> int:
    from supervisor.paths import replace_file
    from supervisor.policy.importers import Options, import_file

    result = import_file(options.tool, options.file, Options(mail=options.mail))
    if options.output is None:
        print(result.text, end="")
    else:
        replace_file(options.output, result.text.encode())
    print(f"{result.rules} rules carried over", file=sys.stderr)
    for title, lines in (
        ("These refuse or ask there, and are NOT carried over:", result.lost),
        ("Not carried over, or otherwise here:", result.notes),
    ):
        if lines:
            print(title, *lines, sep="\n  ", file=sys.stderr)
    return 1 if result.lost else 0
