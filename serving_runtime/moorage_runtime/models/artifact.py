"""Which file of an artifact is the model, and which framework it was saved by."""

from pathlib import Path

from moorage_runtime.models.base import LoadError

SUFFIXES = {
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".skops": "sklearn",
    ".onnx": "onnx",
}


def framework_of(path: Path) -> str:
    """The framework by which a file, or the one model file of a folder, was saved; LoadError where unknown."""
    return SUFFIXES[find(path, tuple(SUFFIXES)).suffix.lower()]


def suffixes_of(framework: str) -> tuple[str, ...]:
    """Suffixes of a framework's files."""
    return tuple(suffix for suffix, name in SUFFIXES.items() if name == framework)


def find(path: Path, suffixes: tuple[str, ...]) -> Path:
    """The file itself, or the only one of a folder's files with one of the suffixes. LoadError names the rest."""
    if path.is_file():
        if path.suffix.lower() in suffixes:
            return path
        raise LoadError(f"{path.name}: a file with one of the suffixes {', '.join(suffixes)} is needed")
    found = sorted(p for p in path.iterdir() if p.is_file() and p.suffix.lower() in suffixes)
    if len(found) == 1:
        return found[0]
    if found:
        raise LoadError(
            f"folder {path.name}: holds {len(found)} models: {', '.join(p.name for p in found[:5])}"
        )
    raise LoadError(f"folder {path.name}: holds no file with one of the suffixes {', '.join(suffixes)}")
