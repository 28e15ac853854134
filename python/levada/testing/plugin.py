"""The pytest plugin: shows the runs of a test that failed.

``levada test`` loads it; with plain pytest: ``pytest -p levada.testing.plugin``.
"""

from collections.abc import Generator
from typing import Any

import pytest

from levada.testing import _run
from levada.testing._result import Result


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: Any) -> None:
    """Forget the runs of the test before."""
    _run.recent.clear()


@pytest.hookimpl(hookwrapper=True)  # the form that pytest 7 knows as well
def pytest_runtest_makereport(item: Any) -> Generator[None, Any, None]:
    """Add the tasks of each run, and the log of what failed in it, to the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    runs = list(_run.recent)
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, Result) and value not in runs:  # made by a fixture of several tests
            runs.append(value)
    for result in runs:
        report.sections.append(("levada run", str(result)))
