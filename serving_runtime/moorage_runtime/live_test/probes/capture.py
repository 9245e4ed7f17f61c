"""The capture round trip: every answered request of the load appears in the stream, once, within a bounded wait."""

import asyncio
import math
from collections import Counter
from collections.abc import Collection
from time import monotonic

from moorage_runtime.capture.decode import decode
from moorage_runtime.config import CaptureConfig, ProbeResult
from moorage_runtime.live_test.fault import TestFault
from moorage_runtime.live_test.probes.tail import open_tail
from moorage_runtime.streams import StreamError
from moorage_runtime.streams.base import Reader, Record

BATCH = 1000
AFTERMATH = 0.2
"""Seconds in which a second copy of the last event may still come."""
QUIET = 5.0
"""Seconds without a new event after which a sampled stream counts as read: nobody knows which will never come."""


class CaptureWatch:
    """Reads the stream from where it ended when the watch was opened."""

    def __init__(self, config: CaptureConfig, reader: Reader) -> None:
        self._config = config
        self._reader = reader
        self._seen: Counter[str] = Counter()
        self._unreadable = 0
        self._stopped = False

    @classmethod
    async def open(cls, config: CaptureConfig) -> "CaptureWatch":
        """Take the stream's end as the beginning. Raises TestFault naming the stream."""
        try:
            return cls(config, await asyncio.to_thread(open_tail, config.stream))
        except (StreamError, OSError) as error:
            raise TestFault(f"capture stream: {error}") from error

    async def check(self, wanted: Collection[str], wait: float) -> ProbeResult:
        """Read until all `wanted` ids were seen, or nothing new came for `wait` seconds."""
        try:
            wait = wait if self._config.sample_ratio == 1 else min(wait, QUIET)
            await asyncio.to_thread(self._read, set(wanted), wait)
        except (StreamError, OSError) as error:
            raise TestFault(f"capture stream: {error}") from error
        finally:
            self._stopped = True
        return verdict(self._seen, wanted, self._config.sample_ratio, self._unreadable, wait)

    async def close(self) -> None:
        """Release the reader."""
        await asyncio.to_thread(self._reader.close)

    def _read(self, missing: set[str], wait: float) -> None:
        deadline = monotonic() + wait
        while missing and monotonic() < deadline and not self._stopped:
            records = self._reader.poll(BATCH, min(1.0, wait))
            before = len(missing)
            for record in records:
                missing -= self._count(record)
            if len(missing) < before:
                deadline = monotonic() + wait
        for record in self._reader.poll(BATCH, AFTERMATH):
            self._count(record)

    def _count(self, record: Record) -> set[str]:
        """Count the record's requests; an id is seen once per record, whatever a format splits it into."""
        try:
            ids = [
                event["id"]
                for event in decode(record.value, headers=record.headers)
                if event.get("outputs") is not None
            ]
        except (ValueError, KeyError, TypeError):
            self._unreadable += 1
            return set()
        self._seen.update(ids)
        return set(ids)


def verdict(
    seen: Counter[str], wanted: Collection[str], ratio: float, unreadable: int, wait: float
) -> ProbeResult:
    """Judge what was seen: all requests where all are captured, else as many as the ratio makes credible
    (five standard deviations of a binomial below its mean), and none twice.
    """
    found = sum(name in seen for name in wanted)
    twice = sum(seen[name] > 1 for name in wanted)
    least = len(wanted)
    if ratio < 1:
        least = math.ceil(max(0.0, len(wanted) * ratio - 5 * math.sqrt(len(wanted) * ratio * (1 - ratio))))
    message = f"{found} of {len(wanted)} requests are in the stream"
    if ratio < 1:
        message += f" (sampled at {ratio:g})"
    if found < least:
        message += f" after {wait:g} s without a new one; at least {least} should be"
    if twice:
        message += f"; {twice} are there more than once"
    if unreadable:
        message += f"; {unreadable} messages could not be read"
    return ProbeResult(name="capture_round_trip", passed=found >= least and not twice, message=message)
