"""The numbers that people call tasks by: never given twice, and kept by a restarted daemon."""

from __future__ import annotations

from dataclasses import replace

from supervisor.grants.book import Book
from tests.support.credentials import mint_context


def test_a_task_taken_over_keeps_its_number_and_a_new_one_gets_a_free_one() -> None:
    task = mint_context().task
    book = Book()
    assert book.add_task(replace(task, id="t-c"), number=3).number == 3
    assert book.add_task(replace(task, id="t-a"), number=1).number == 1
    assert book.add_task(replace(task, id="t-new")).number == 4


def test_the_first_task_is_number_one() -> None:
    assert Book().add_task(mint_context().task).number == 1
