"""A person's sign-in at an OAuth provider, up to the page that opens in their browser."""

from __future__ import annotations

import re
import subprocess

from tests.support.live import TASKPASS, Install, wait_for


class SigningIn:
    """`taskpass WORDS` in a process of its own, with a browser that notes the page."""

    def __init__(self, install: Install, *words: str, stdin: str = "") -> None:
        self.opened = install.root / "opened"
        browser = install.root / "browser"
        browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> {self.opened}\n')
        browser.chmod(0o755)
        self.process = subprocess.Popen(
            [*TASKPASS, *words],
            cwd=install.project,
            env=install.environ | {"BROWSER": str(browser)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdin
        self.process.stdin.write(stdin)
        self.process.stdin.close()

    def page(self, number: int = 1) -> str:
        """The page that was opened as the `number`th."""

        def pages() -> list[str]:
            return self.opened.read_text().splitlines() if self.opened.exists() else []

        wait_for(lambda: len(pages()) >= number or self.process.poll() is not None, "the browser")
        assert len(pages()) >= number, self.end()
        return pages()[number - 1]

    def line(self, pattern: str) -> str:
        """What the first line of its output that matches shows (group 1)."""
        assert self.process.stdout
        for line in self.process.stdout:
            if found := re.search(pattern, line):
                return found[1]
        raise AssertionError(f"never said {pattern}")

    def end(self) -> tuple[int, str]:
        assert self.process.stdout
        said = self.process.stdout.read()
        code = self.process.wait(30)
        self.process.stdout.close()
        return code, said
