"""A writer in another process that is killed, and another after it: every whole line is read once, in order."""

import signal
import subprocess
import sys

from moorage_runtime.config import StreamConfig
from moorage_runtime.streams import open_partitions
from parts import wait_until

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


def kill_after(folder, flushes, partitions, found):
    """Let a writer write, read beside it, kill it; what it had surely written."""
    command = [sys.executable, "-c", WRITER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        for _ in range(flushes):
            delivered = int(writer.stdout.readline())
            read(partitions, found)
        writer.send_signal(signal.SIGKILL)
    return delivered


def read(partitions, found):
    for chunk in partitions.poll(700, 0):
        found.setdefault(chunk.partition, []).extend(int(value.rstrip(b".")) for value in chunk.values)


def test_writers_that_are_killed_one_after_the_other(tmp_path):
    stream = StreamConfig(uri=str(tmp_path))
    partitions = open_partitions(stream, "g", {}, "earliest")
    found = {}
    delivered = [kill_after(tmp_path, flushes, partitions, found) for flushes in (3, 8)]
    # go on as another worker would
    partitions = open_partitions(stream, "g", partitions.positions, "latest")
    wait_until(
        lambda: read(partitions, found) or len(partitions.caught_up) == len(partitions.positions) == 2,
        "the end",
    )
    assert [lines == list(range(len(lines))) for lines in found.values()] == [True, True]
    assert sorted(map(len, found.values())) >= sorted(delivered)
    assert partitions.torn <= 2
    assert partitions.lag() == 0
