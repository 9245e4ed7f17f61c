"""Writes files to the object store in a thread of its own, in order, again and again until they are there.

After a crash a file may begin where one from before the crash begins and end elsewhere, since where a silent
partition's file ends depends on time. The file written last counts; what it overlaps is removed.
"""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from moorage_runtime.config import SinkStatus, StorageConfig
from moorage_runtime.drift.sinks.delivery import FIRST_WAIT, LONGEST_WAIT
from moorage_runtime.drift.sinks.tables import File
from moorage_runtime.storage import StorageError, list_files, remove, write_bytes

log = logging.getLogger(__name__)

FOLDERS = 256
"""Folders of which is kept what lay in them when the first file was written there."""
_NAME = re.compile(r"(?P<series>.+?)-(?P<first>-?\d+)-(?P<last>-?\d+)\.parquet")


@dataclass(frozen=True, slots=True)
class Job:
    """Files that count as one: `done` is called, from the uploader's thread, once all of them are there."""

    files: Callable[[], list[File]]
    done: Callable[[], None]
    size: int
    """Bytes that it holds in memory, about."""


class Uploader:
    """A queue of jobs and the thread that does them."""

    def __init__(self, name: str, uri: str, storage: StorageConfig) -> None:
        self._name = name
        self._uri = uri.rstrip("/")
        self._storage = storage
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._size = 0
        self._written = 0
        self._error: str | None = None
        self._before: dict[str, list[tuple[str, str, int, int]]] = {}
        self._closing = threading.Event()
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._run, name="moorage-archive", daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job."""
        with self._changed:
            self._jobs.append(job)
            self._size += job.size
            self._changed.notify()

    @property
    def size(self) -> int:
        """Bytes held by what waits, about."""
        return self._size

    @property
    def status(self) -> SinkStatus:
        """Files written, and groups of files that wait."""
        with self._changed:
            return SinkStatus(
                name=self._name, delivered=self._written, pending=len(self._jobs), error=self._error
            )

    def stop(self, timeout: float) -> None:
        """Write what waits for at most `timeout` seconds, unless it fails; `join` waits for that."""
        self._deadline = time.monotonic() + timeout
        self._closing.set()
        with self._changed:
            self._changed.notify()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join(max(0.0, self._deadline - time.monotonic()) + 1)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            if not self._do(job):
                return
            job.done()
            with self._changed:
                self._jobs.popleft()
                self._size -= job.size

    def _do(self, job: Job) -> bool:
        """Write all files of a job; False where it is time to stop first."""
        files: deque[File] | None = None
        failures = 0
        while files is None or files:
            try:
                files = deque(job.files()) if files is None else files
                while files:
                    self._write(files[0])
                    files.popleft()
                    failures = 0
            except Exception as error:  # noqa: BLE001 - whatever it is: rows are not given up, and people are told
                self._fails(
                    str(error) if isinstance(error, StorageError) else f"{type(error).__name__}: {error}"
                )
                if self._closing.wait(min(LONGEST_WAIT, FIRST_WAIT * 2**failures)):
                    return False
                failures = min(failures + 1, 16)
        self._works()
        return True

    def _next(self) -> Job | None:
        with self._changed:
            while not self._jobs and not self._closing.is_set():
                self._changed.wait()
            if not self._jobs or (self._closing.is_set() and time.monotonic() > self._deadline):
                return None
            return self._jobs[0]

    def _write(self, file: File) -> None:
        folder = self._address(file.folder)
        before = self._existing(folder)
        write_bytes(f"{folder}/{self._part(file.name)}", file.content(), self._storage)
        self._written += 1
        for entry in [*before]:
            uri, series, first, last = entry
            if series == file.series and first <= file.last and last >= file.first:
                if (first, last) != (file.first, file.last):
                    remove(uri, self._storage)
                before.remove(entry)

    def _existing(self, folder: str) -> list[tuple[str, str, int, int]]:
        """What lay in the folder before this process wrote there: URI, series, first and last."""
        known = self._before.get(folder)
        if known is None:
            known = []
            for info in list_files(folder, self._storage):
                name = info.uri.rpartition("/")[2]
                if self._uri.lower().startswith("file:"):
                    name = unquote(name)
                found = _NAME.fullmatch(name)
                if found:
                    known.append((info.uri, found["series"], int(found["first"]), int(found["last"])))
            while len(self._before) >= FOLDERS:
                del self._before[next(iter(self._before))]
            self._before[folder] = known
        return known

    def _address(self, folder: tuple[str, ...]) -> str:
        return "/".join((self._uri, *map(self._part, folder)))

    def _part(self, text: str) -> str:
        """A part of a path, which a file:// URI has escaped once more."""
        return quote(text, safe="=") if self._uri.lower().startswith("file:") else text

    def _fails(self, words: str) -> None:
        if self._error is None:
            log.warning("history fails: %s", words)
        self._error = words

    def _works(self) -> None:
        if self._error is not None:
            log.info("history works again")
            self._error = None
