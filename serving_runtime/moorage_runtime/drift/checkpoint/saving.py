"""Writes checkpoints beside the worker, one at a time, so that a slow store does not hold up the stream."""

import threading
import time
from collections.abc import Mapping

from moorage_runtime.drift.checkpoint.manifest import Checkpoint, LostError
from moorage_runtime.storage import StorageError


class Saver:
    """Starts saves and says how the last one ended. Blobs that were not saved stay for the next try."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.error: str | None = None
        """The store's words, since a save has failed."""
        self.size = 0
        self.saved_at: float | None = None
        """time.monotonic() of the state in the last good save."""
        self._checkpoint = checkpoint
        self._blobs: dict[str, bytes] = {}
        self._thread: threading.Thread | None = None
        self._lost: LostError | None = None
        self._failed: str | None = None

    @property
    def busy(self) -> bool:
        """Whether a save is under way or its end was not collected yet."""
        return self._thread is not None

    def still_saved(self) -> None:
        """Nothing has changed since the last save."""
        self.saved_at = time.monotonic()

    def start(self, state: bytes, blobs: Mapping[str, bytes], needed: frozenset[str]) -> None:
        """Begin to save a state (JSON); `needed` names all blobs that it refers to."""
        assert self._thread is None
        self._blobs = {name: data for name, data in {**self._blobs, **blobs}.items() if name in needed}
        job = (state, dict(self._blobs), needed, time.monotonic())
        self._thread = threading.Thread(target=self._save, args=job, name="moorage-checkpoint", daemon=True)
        self._thread.start()

    def _save(self, state: bytes, blobs: Mapping[str, bytes], needed: frozenset[str], at: float) -> None:
        try:
            self.size = self._checkpoint.save(state, blobs, needed - blobs.keys())
        except LostError as error:
            self._lost = error
        except StorageError as error:
            self._failed = str(error)
        else:
            self._failed, self.saved_at = None, at

    def collect(self, timeout: float = 0) -> bool | None:
        """Whether the save that was under way came through; None while it has not ended. Raises LostError."""
        thread = self._thread
        if thread is None:
            return None
        thread.join(timeout)
        if thread.is_alive():
            return None
        self._thread = None
        if self._lost is not None:
            raise self._lost
        self.error = self._failed
        if self._failed is None:
            self._blobs = {}
        return self._failed is None
