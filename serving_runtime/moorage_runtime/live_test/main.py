"""The process around a test: signals, the written reports, the termination log, the exit code."""

import asyncio
import contextlib
import signal
import sys

from moorage_runtime import termination
from moorage_runtime.config import TestConfig
from moorage_runtime.live_test import console
from moorage_runtime.live_test.limits import Limits
from moorage_runtime.live_test.page import as_html
from moorage_runtime.live_test.report import Report, as_json, as_junit
from moorage_runtime.live_test.run import run
from moorage_runtime.live_test.termination import encode
from moorage_runtime.live_test.verdict import EXIT_CODES

FORMS = {"report.json": as_json, "junit.xml": as_junit, "report.html": as_html}


def main(config: TestConfig, limits: Limits | None = None) -> int:
    """Run the test, write its reports and its last words; 0 Passed, 1 Failed, 2 Error."""
    report = asyncio.run(_stoppable(config, limits or Limits()))
    if config.report_uri:
        _publish(report, config.report_uri)
    sys.stdout.write(console.summary(report) + "\n")
    sys.stdout.flush()
    try:
        termination.write(encode(report.status()))
    except OSError as error:
        sys.stderr.write(f"the termination log cannot be written: {error}\n")
        return EXIT_CODES["Error"]
    return EXIT_CODES[report.verdict]


async def _stoppable(config: TestConfig, limits: Limits) -> Report:
    """Run the test; SIGTERM and SIGINT end it with verdict Error, so that its last words are still written."""
    test = asyncio.create_task(run(config, limits, console.Bar()))
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(RuntimeError, ValueError):  # only the main thread may listen
            asyncio.get_running_loop().add_signal_handler(number, test.cancel)
    return await test


def _publish(report: Report, uri: str) -> None:
    """Write every form below URI/RUN/. A report that cannot be written makes the verdict Error."""
    from moorage_runtime.storage import StorageError, write_bytes

    folder = f"{uri.rstrip('/')}/{report.run}/"
    report.report_uri = folder
    try:
        for name, form in FORMS.items():
            write_bytes(folder + name, form(report), report.config.storage)
    except StorageError as error:
        report.report_uri = None
        report.message = f"report.uri: {error}; the verdict would be {report.verdict}: {report.message}"
        report.verdict = "Error"
