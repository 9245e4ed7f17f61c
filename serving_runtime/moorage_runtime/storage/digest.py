"""The digest by which a model's artifact is pinned and reported."""

import hashlib
import os
from pathlib import Path

from moorage_runtime.storage.uri import StorageError

_IGNORED = "__pycache__"


def digest(path: Path) -> str:
    r"""SHA-256, 64 hex digits: of a file its content; of a folder the sorted lines `path\0size\0sha256\n`.

    Paths are relative, with slashes, sorted as bytes. Compiled Python (`__pycache__`) and the hidden versions
    of a mounted ConfigMap (names that start with two dots) are not part of an artifact. Raises StorageError.
    """
    try:
        if not path.is_dir():
            return _file(path)[1]
        lines = []
        for file in files(path):
            size, sha = _file(file)
            lines.append(os.fsencode(file.relative_to(path).as_posix()) + f"\0{size}\0{sha}\n".encode())
        return hashlib.sha256(b"".join(sorted(lines))).hexdigest()
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from None


def files(folder: Path) -> list[Path]:
    """The files of an artifact's folder, as the digest counts them."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != _IGNORED and not name.startswith("..")]
        found.extend(Path(root, name) for name in names if not name.startswith(".."))
    return sorted(found)


def _file(path: Path) -> tuple[int, str]:
    with path.open("rb") as stream:
        sha = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), sha
