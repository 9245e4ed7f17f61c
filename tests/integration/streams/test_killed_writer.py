"""A writer that is killed in the middle of its work: what it had written is there, whole lines, none twice."""

import signal
import subprocess
import sys

import pytest

from moorage_runtime.streams.directory import DirectoryReader

WRITER = """
import sys
from moorage_runtime.streams import Message
from moorage_runtime.streams.directory import DirectoryWriter

writer = DirectoryWriter(sys.argv[1], 1 << 26, segment_bytes=1 << 18)
for start in range(0, 10_000_000, 1000):
    writer.write([Message(b"%d" % number + b"." * 200) for number in range(start, start + 1000)])
    while not writer.flush(1):
        pass
    print(writer.stats.delivered, flush=True)
"""


@pytest.mark.parametrize("flushes", [1, 7, 20])
def test_what_was_written_survives_kill_9(tmp_path, flushes):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        for _ in range(flushes):
            delivered = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
    reader = DirectoryReader(tmp_path, "g", "earliest")
    found = []
    while records := reader.poll(100_000, 0):
        found += [int(record.value.rstrip(b".")) for record in records]
    assert len(found) >= delivered
    assert found == list(range(len(found)))
    assert reader.skipped <= 1
