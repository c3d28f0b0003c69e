"""SQL text becomes effects: kinds of statements and their tables."""

from __future__ import annotations

import pytest

from supervisor.effects.sql import sql_effects


def read(text: str, dialect: str = "postgres"):
    effects, why = sql_effects(text, "shop", remote=True, dialect=dialect)
    return [(e.attributes["statement"], e.attributes["tables"]) for e in effects], why


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from Users u join orders o on o.u = u.id", [("select", "orders,users")]),
        ("with recent as (select * from a) select * from recent", [("select", "a")]),
        ("with gone as (delete from a returning *) select * from gone", [("delete", "a")]),
        ("select 1; drop table a", [("select", ""), ("drop", "a")]),
        ("begin; update a set x = 1; commit", [("update", "a")]),
        ("select ';drop table a;' from b", [("select", "b")]),
        ("select 1 -- ; drop table a", [("select", "")]),
        ("explain delete from a", [("select", "a")]),
        ("explain analyze delete from a", [("delete", "a")]),
        ("explain (analyze, verbose) delete from a", [("delete", "a")]),
        ("select * into b from a", [("ddl", "a,b")]),
        ("truncate a", [("drop", "a")]),
        ("grant all on a to public", [("grant", "a")]),
        ("copy a to stdout", [("copy", "a")]),
        ("insert into public.a values (1)", [("insert", "public.a")]),
        ("", []),
    ],
)
def test_statements(text, expected):
    assert read(text) == (expected, "")


@pytest.mark.parametrize(
    "text",
    [
        "select pg_read_file('/etc/passwd')",
        "copy a to program 'sh'",
        "do $$ begin delete from a; end $$",
        "set role admin",
        "select from where (",
        "call wipe()",
        "explain explain delete from a",
        "select 1" + " " * 70_000,
    ],
)
def test_what_reaches_further_or_cannot_be_read_is_told(text):
    effects, why = read(text)
    assert effects[-1][0] == "other"
    assert why


def test_files_of_other_dialects():
    assert read("select writefile('x', 'y')", "sqlite")[1]
    assert read("select * from a into outfile '/tmp/x'", "mysql")[1]
    assert read("select * from read_csv('secrets.csv')", "duckdb")[1]


def test_resource_and_place():
    effects, _ = sql_effects("select 1", "db.example.com/shop", remote=True)
    assert effects[0].resource == "db.example.com/shop"
    assert effects[0].attributes["remote"] is True
