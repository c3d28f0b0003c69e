"""Fixtures every test may use; how the tests are spread; and in CI a skipped test is a failed one.

The tests named by nobody, all of them, run in several processes (pytest-xdist): most wait for
programs they have started. What is named on the command line, and the long form, runs in this one.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

pytest_plugins = [
    "tests.support.agents",
    "tests.support.live",
    "tests.support.ci_job",
    "tests.support.failing_daemon",
    "tests.support.npm_registry",
    "tests.support.oidc_provider",
    "tests.support.scripted_model",
    "tests.support.somebody",
    "tests.support.supervised",
]

# Read once: tests change their environment.
_IN_CI = bool(os.environ.get("CI"))


@pytest.hookimpl(tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS
    if not everything or config.option.markexpr != "not full":
        return 0
    return (os.cpu_count() or 1) + 1


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes go by their place: compressed or drawn ones are others in every process, and all
    processes must find the same tests."""
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist asks for the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.geteuid():
        barred = [item for item in items if item.get_closest_marker("root")]
        config.hook.pytest_deselected(items=barred)
        items[:] = [item for item in items if not item.get_closest_marker("root")]
    _group(items)


def _group(items: list[pytest.Item]) -> None:
    """What goes to one process together: a module of quick tests, and users of a shared fixture.

    Every other test goes by itself to whichever process has nothing to do.
    """
    for item in items:
        assert isinstance(item, pytest.Function)
        shared = [
            name
            for name, found in item._fixtureinfo.name2fixturedefs.items()
            if any(each.scope == "module" for each in found)
        ]
        module = item.nodeid.partition("::")[0]
        if shared or module.startswith("tests/unit/"):
            params = item.callspec.params if hasattr(item, "callspec") else {}
            made = (str(params[name]) for name in shared if name in params)
            item.add_marker(pytest.mark.xdist_group("-".join((module, *made))))


@pytest.hookimpl(tryfirst=True)  # before what failed is noted
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Each test by its own name, to which pytest-xdist adds the group's: `--last-failed` would find
    none of them, and run everything."""
    if hasattr(report, "node"):  # of another process
        report.nodeid = report.nodeid.rpartition("@tests/")[0] or report.nodeid


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _no_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _no_skip((yield))


def _no_skip(report: Any) -> Any:
    if _IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
