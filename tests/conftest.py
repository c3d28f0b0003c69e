"""Fixtures every test may use."""

pytest_plugins = [
    "tests.support.agents",
    "tests.support.live",
    "tests.support.failing_daemon",
    "tests.support.scripted_model",
    "tests.support.supervised",
]
