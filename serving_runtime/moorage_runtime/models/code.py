"""A model's own Python: unpacked, and importable while the model loads, without clashes between models.

Two models may both bring a module `model`. Modules that came from another model's folder are forgotten before a
model loads, so each gets its own; what is already loaded keeps its own objects.
"""

import importlib
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from moorage_runtime.config import StorageConfig
from moorage_runtime.models.base import LoadError
from moorage_runtime.storage import digest, fetch

_ARCHIVES = (".zip", ".whl")
_MAX_UNPACKED = 2 << 30
"""Bytes an archive may unpack to."""
_folders: set[str] = set()
"""Folders of code that models of this process brought."""


def code_folder(uri: str, storage: StorageConfig, cache: Path) -> Path:
    """The folder to import from: the folder itself, an unpacked archive, or a copy of the one .py file."""
    path = fetch(uri, cache, storage)
    if path.is_dir():
        return path.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache.resolve() / f"code-{digest(path)[:32]}-{path.stem}"
    if folder.is_dir():
        return folder
    unfinished = Path(tempfile.mkdtemp(dir=cache, prefix=".unfinished-"))
    try:
        if path.suffix in _ARCHIVES:
            _unpack(path, unfinished)
        elif path.suffix == ".py":
            shutil.copyfile(path, unfinished / path.name)
        else:
            raise LoadError(f"{uri}: code is a folder, a .zip, a .whl or a .py file")
        try:
            unfinished.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
        return folder
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextmanager
def importable(folder: Path | None) -> Iterator[None]:
    """Import from `folder` first; it stays on the path, behind all else, for imports at prediction time."""
    if folder is None:
        yield
        return
    others = _folders - {str(folder)}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and any(Path(file).is_relative_to(other) for other in others):
            del sys.modules[name]
    _folders.add(str(folder))
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.path.append(str(folder))


def _unpack(archive: Path, into: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            for member in members:
                name = PurePosixPath(member.filename.replace("\\", "/"))
                if name.is_absolute() or ".." in name.parts:
                    raise LoadError(f"{archive.name}: {member.filename!r} would leave the code's folder")
            if sum(member.file_size for member in members) > _MAX_UNPACKED:
                raise LoadError(f"{archive.name}: unpacks to more than {_MAX_UNPACKED} bytes")
            opened.extractall(into)
    except zipfile.BadZipFile as error:
        raise LoadError(f"{archive.name}: is not a zip archive: {error}") from None
