"""What a person sees: a progress bar on a terminal, and the summary."""

import sys
from collections.abc import Sequence
from time import monotonic

from moorage_runtime.live_test.client import public_url
from moorage_runtime.live_test.page import bound, figure, shown
from moorage_runtime.live_test.report import Report

WIDTH = 30
EVERY = 0.1
"""Seconds between two drawings of the bar."""


class Bar:
    """A progress bar on standard error; silent where that is no terminal."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """Draw it, at most every EVERY seconds and at the end."""
        if not self._shown or (monotonic() < self._next and done < total):
            return
        self._next = monotonic() + EVERY
        filled = WIDTH * done // total
        end = "\n" if done == total else ""
        sys.stderr.write(f"\r[{'#' * filled}{' ' * (WIDTH - filled)}] {done}/{total} requests{end}")
        sys.stderr.flush()


def summary(report: Report) -> str:
    """The run as a plain text table."""
    lines = [
        f"{report.config.name}: {report.config.model} at {public_url(report.config.url)}, {report.load}",
        "",
    ]
    if report.metrics:
        rows = [("METRIC", "VALUE", "EXPECTED", "RESULT")]
        rows += [
            (metric.name, figure(metric), bound(metric), _word(metric.passed))
            for metric in shown(report.metrics)
        ]
        lines += [*_table(rows), ""]
    if report.probes:
        rows2 = [("PROBE", "RESULT", "OBSERVED")]
        rows2 += [(probe.name, _word(probe.passed), probe.message or "") for probe in report.probes]
        lines += [*_table(rows2), ""]
    lines += [f"note: {note}" for note in report.notes]
    if report.report_uri:
        lines.append(f"report: {report.report_uri}")
    lines.append(f"{report.verdict}: {report.message}")
    return "\n".join(lines)


def _word(passed: bool | None) -> str:
    return "" if passed is None else "passed" if passed else "FAILED"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
