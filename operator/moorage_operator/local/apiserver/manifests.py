"""The manifests that `moorage up` was given, applied as `kubectl apply` would, at the start and at each edit."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from watchfiles import awatch

from moorage_operator.local.apiserver.admission import admit
from moorage_operator.local.apiserver.store import Store, StoreError
from moorage_operator.local.apiserver.yaml import Document, ManifestError, read_file, read_paths
from moorage_operator.local.console import called


class Manifests:
    """Files and folders of manifests. A document is applied when it is new or edited; removing one prunes nothing."""

    def __init__(
        self, paths: Sequence[Path], store: Store, namespace: str | None, say: Callable[[str], None]
    ) -> None:
        self._paths = paths
        self._store = store
        self._namespace = namespace
        self._say = say
        self._applied: dict[Path, set[str]] = {}
        self._complaints: dict[Path, str] = {}

    def apply(self) -> None:
        """Apply what is new or edited; what is wrong is said, once, and leaves the rest alone."""
        for file in [file for file in self._applied if not file.exists()]:
            del self._applied[file]
            self._say(f"{file} is gone; what it applied stays until `moorage delete`")
        for path in self._paths:
            try:
                files = read_paths(path)
            except ManifestError as error:
                self._complain(path, str(error))
                continue
            for file in files:
                self._apply_file(file)

    async def follow(self) -> None:
        """Apply again at each edit, for ever. Folders are watched, since editors replace files."""
        folders = {path if path.is_dir() else path.parent for path in self._paths}
        if not folders:
            await asyncio.Event().wait()
        async for _ in awatch(*folders, recursive=False, debounce=200, step=20):
            self.apply()

    def _apply_file(self, file: Path) -> None:
        try:
            documents = read_file(file)
        except ManifestError as error:
            self._complain(file, str(error))
            return
        self._complaints.pop(file, None)
        before, now = self._applied.get(file, set()), set()
        for document in documents:
            digest = hashlib.sha256(json.dumps(document.object, sort_keys=True).encode()).hexdigest()
            now.add(digest)
            if digest not in before:
                self._apply_document(document)
        self._applied[file] = now

    def _apply_document(self, document: Document) -> None:
        try:
            manifest = admit(document, self._namespace)
            outcome = self._store.apply(manifest)
        except (ManifestError, StoreError) as error:
            self._say(f"{document.source}, object {document.index}: {error}")
            return
        self._say(f"{called(manifest)} {outcome}")

    def _complain(self, file: Path, text: str) -> None:
        if self._complaints.get(file) != text:
            self._complaints[file] = text
            self._say(text)


def missing(paths: Sequence[Path]) -> str | None:
    """What is wrong with the paths as they were given; None where each is there."""
    gone = next((path for path in paths if not path.exists()), None)
    return None if gone is None else f'the path "{gone}" does not exist'
