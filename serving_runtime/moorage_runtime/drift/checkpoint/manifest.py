"""The one checkpoint: a manifest that is replaced by conditional put, and immutable files that it names.

Whoever replaces the manifest has seen the one before; so of two workers that believe to be the only one, the second
stops instead of overwriting what the first one knows.
"""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import (
    Changed,
    StorageError,
    list_files,
    read_bytes,
    read_tagged,
    remove,
    write_bytes,
    write_if,
)

SCHEMA = "moorage.drift.checkpoint/v1"
MANIFEST = "checkpoint.json"
FILES = "files"
"""Folder of the immutable files beside the manifest."""


class CheckpointError(Exception):
    """The checkpoint cannot be used, and no further try will help; the message names its URI."""


class LostError(CheckpointError):
    """Another worker has written the checkpoint: this one has to stop."""


class Checkpoint:
    """The checkpoint in a folder. Its methods block; to be called from one thread at a time."""

    def __init__(self, uri: str, storage: StorageConfig) -> None:
        self.uri = f"{uri.rstrip('/')}/{MANIFEST}"
        self._folder = f"{uri.rstrip('/')}/{FILES}"
        self._storage = storage
        self._writer = uuid.uuid4().hex
        self._tag: str | None = None
        self._files: dict[str, str] = {}
        """Name of a blob to the file that has it, as of the last manifest."""
        self._swept = False

    def load(self) -> dict[str, Any] | None:
        """The manifest's state, None where there is none yet. Raises StorageError, CheckpointError (not ours)."""
        found = read_tagged(self.uri, self._storage)
        if found is None:
            self._tag, self._files = None, {}
            return None
        data, self._tag = found
        manifest = self._parse(data)
        self._files = dict(manifest["files"])
        return dict(manifest["state"])

    def _parse(self, data: bytes) -> dict[str, Any]:
        try:
            manifest = orjson.loads(data)
            schema = manifest["schema"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise CheckpointError(f"{self.uri}: this is no checkpoint of a drift worker") from None
        if schema != SCHEMA:
            raise CheckpointError(f"{self.uri}: {schema} is not known here, only {SCHEMA}")
        return dict(manifest)

    def blob(self, name: str) -> bytes:
        """A blob of the loaded manifest. Raises StorageError, CheckpointError where the manifest names none."""
        file = self._files.get(name)
        if file is None:
            raise CheckpointError(f"{self.uri}: names no {name}")
        return read_bytes(f"{self._folder}/{file}", self._storage)

    def save(self, state: bytes, blobs: Mapping[str, bytes], keep: frozenset[str]) -> int:
        """Replace the manifest, after its new blobs; `keep` names those of the last one that it needs still.

        `state` is JSON.
        Returns the manifest's size in bytes. Raises StorageError (try again, with the same blobs), LostError.
        """
        files = {name: file for name, file in self._files.items() if name in keep}
        for name, data in blobs.items():
            files[name] = f"{hashlib.sha256(data).hexdigest()[:24]}-{name}"
            if self._files.get(name) != files[name]:
                write_bytes(f"{self._folder}/{files[name]}", data, self._storage)
        document = {"schema": SCHEMA, "writer": self._writer, "files": files, "state": orjson.Fragment(state)}
        data = orjson.dumps(document)
        try:
            self._tag = write_if(self.uri, data, self._tag, self._storage)
        except Changed:
            self._tag = write_if(self.uri, data, self._own_tag(), self._storage)
        before, self._files = self._files, files
        self._forget(set(before.values()) - set(files.values()))
        return len(data)

    def _own_tag(self) -> str:
        """The tag of a manifest that this worker has written without hearing of it; LostError where it has not."""
        found = read_tagged(self.uri, self._storage)
        if found is not None and self._parse(found[0]).get("writer") == self._writer:
            return found[1]
        raise LostError(f"{self.uri}: another worker has written it")

    def _forget(self, files: set[str]) -> None:
        """Remove files that no manifest names any more; at first also those that a killed worker left."""
        try:
            if not self._swept:
                named = set(self._files.values())
                there = {info.uri.rpartition("/")[2] for info in list_files(self._folder, self._storage)}
                files |= there - named
                self._swept = True
            for file in files:
                remove(f"{self._folder}/{file}", self._storage)
        except StorageError:
            return  # it costs room only, and the next worker tries again
