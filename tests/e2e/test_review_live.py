"""The past of a real supervisor on the command line: found, proved, exported, checked elsewhere."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.support.live import Install


def test_the_past_is_found_proved_exported_and_checked(install: Install) -> None:
    done = install.cli("run", "--headless", "--purpose", "first work", "--", "true")
    assert done.returncode == 0, done.stderr
    assert (
        install.cli("run", "--headless", "--purpose", "other work", "--", "false").returncode == 1
    )

    # found
    started = install.records("task.started")
    assert [each["purpose"] for each in started] == ["first work", "other work"]
    told = install.cli("history", "kind:task.started", "first").stdout.splitlines()
    assert len(told) == 1
    assert "first work" in told[0]
    of_second = install.cli("history", "task:2", "kind:task.*", "--json").stdout.splitlines()
    assert {json.loads(line)["task"] for line in of_second} == {started[1]["task"]}
    assert "No record matches" in install.cli("history", "nothing-at-all").stdout
    wrong = install.cli("history", "colour:red")
    assert wrong.returncode == 2
    assert "There is no field “colour”" in wrong.stderr
    line = install.cli("history", "--timeline").stdout
    assert "records" in line
    assert "█" in line

    # proved
    seq = started[0]["seq"]
    proof = json.loads(install.cli("history", "--record", str(seq), "--json").stdout)
    assert proof["standing"] in ("verified", "not signed yet")
    assert proof["record"]["purpose"] == "first work"
    whole = install.cli("verify")
    assert whole.returncode == 0
    key = whole.stdout.split("signed by ")[1].strip()
    assert proof["key"] == key
    missing = install.cli("history", "--record", "99999")
    assert (missing.returncode, "There is no record 99999" in missing.stderr) == (1, True)

    # counted and judged again
    figures = json.loads(install.cli("history", "--figures", "--json").stdout)
    assert figures.get("asked", 0) == 0
    assert "begin with the first question" in install.cli("history", "--figures").stdout
    assert "judged again" in install.cli("history", "--replay").stdout

    # exported, and checked by the install, by another, and after a change
    for form in ("jsonl", "csv", "md"):
        file = install.project / f"past.{form}"
        made = install.cli("history", "task:1", "--export", str(file))
        assert made.returncode == 0, made.stderr
        assert file.stat().st_mode & 0o777 == 0o600
        assert "first work" in file.read_text()
        assert "other work" not in file.read_text()
        checked = install.cli("verify", str(file))
        assert checked.returncode == 0, checked.stdout
        assert f"signed by {key}, the key of this install" in checked.stdout
    again = install.cli("history", "--export", str(file))
    assert again.returncode == 2
    assert "is there already" in again.stderr
    streamed = install.cli("history", "--export", "-", "--format", "jsonl").stdout
    assert json.loads(streamed.splitlines()[-1])["proof"]["chain"] == "ok"
    altered = install.project / "altered.jsonl"
    text = (install.project / "past.jsonl").read_text()
    altered.write_text(text.replace("first work", "best work"))
    bad = install.cli("verify", str(altered))
    assert (bad.returncode, bad.stdout.startswith("BROKEN: Record ")) == (1, True)
    assert len(install.records("history.exported")) == 4, "who takes the past along is on record"


def test_an_export_of_elsewhere_needs_its_key_named(install: Install, tmp_path: Path) -> None:
    assert install.cli("run", "--headless", "--", "true").returncode == 0
    file = install.project / "past.jsonl"
    assert install.cli("history", "--export", str(file)).returncode == 0
    key = json.loads(install.cli("verify", str(file), "--json").stdout)["key"]
    environ = {name: value for name, value in install.environ.items() if "XDG" not in name}
    elsewhere = Install(tmp_path, environ | {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path),
                                             "XDG_RUNTIME_DIR": str(tmp_path)})  # fmt: skip
    elsewhere.project.mkdir(parents=True, exist_ok=True)
    unknown = elsewhere.cli("verify", str(file))
    assert unknown.returncode == 1
    assert unknown.stdout.startswith("UNKNOWN KEY")
    assert "not the key of this install" in unknown.stdout
    assert elsewhere.cli("verify", str(file), "--key", key).returncode == 0
    other = elsewhere.cli("verify", str(file), "--key", "SHA256:other")
    assert (other.returncode, "not by SHA256:other" in other.stdout) == (1, True)
    assert elsewhere.cli("verify", str(tmp_path / "nothing")).returncode == 1
    none = elsewhere.cli("verify", "/etc/hostname")
    assert none.returncode == 2
    assert "does not end with a proof" in none.stderr


def test_a_record_that_was_changed_is_told_by_its_number(install: Install) -> None:
    assert install.cli("run", "--headless", "--purpose", "mine", "--", "true").returncode == 0
    record = install.records("task.started")[0]
    with sqlite3.connect(install.paths.ledger) as ledger:
        ledger.execute(
            "UPDATE records SET canonical = CAST(replace(canonical, 'mine', 'hers') AS BLOB) "
            "WHERE seq = ?", (record["seq"],)
        )  # fmt: skip
    shown = install.cli("history", "--record", str(record["seq"]))
    assert shown.returncode == 1
    assert "broken: Record" in shown.stdout
    file = install.project / "past.md"
    assert install.cli("history", "--export", str(file)).returncode == 0
    checked = install.cli("verify", str(file))
    assert checked.returncode == 1
    assert "from a history that was not whole" in checked.stdout
