"""Tables from files: Parquet, CSV and newline-delimited JSON, told apart by their suffix."""

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import s3
from moorage_runtime.storage.access import read_bytes
from moorage_runtime.storage.digest import files
from moorage_runtime.storage.uri import Local, StorageError, resolve

if TYPE_CHECKING:
    import pyarrow as pa

_FORMATS = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".ndjson": "json", ".jsonl": "json"}
_CODECS = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2"}


def read_table(uri: str, storage: StorageConfig) -> "pa.Table":
    """A file as a table, or all table files of a folder one after the other, in the order of their names.

    Raises StorageError, which names the URI and the cause.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise StorageError(f"{uri}: reading tables needs pyarrow: install moorage[s3]") from None

    place = resolve(uri)
    try:
        if isinstance(place, Local):
            if not place.path.is_dir():
                return _read(place.path.name, str(place.path))
            names = [str(file) for file in files(place.path) if format_of(file.name)]
            return _join(uri, [_read(name, name) for name in names])
        if place.kind == "http":
            return _read(place.name, pa.BufferReader(read_bytes(uri, storage)))
        with s3.errors(uri):
            filesystem = s3.filesystem(storage)
        found = s3.listing(filesystem, place.address, uri)
        names = [info.path for info in found if len(found) == 1 or format_of(info.path)]
        with s3.errors(uri):
            return _join(uri, [_read(name, filesystem.open_input_file(name)) for name in names])
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or str(error).splitlines()[0][:300]
        raise StorageError(f"{uri}: cannot be read as a table: {cause}") from None
    except _UnknownSuffixError as error:
        raise StorageError(
            f"{uri}: {error.args[0]!r} has none of the suffixes {', '.join(_FORMATS)}"
        ) from None


class _UnknownSuffixError(Exception):
    """A file's name does not say what it holds."""


def codec_of(name: str) -> str | None:
    """Name that pyarrow has for the compression that a file's suffix names; None for none."""
    return _CODECS.get(PurePath(name).suffix)


def format_of(name: str) -> str | None:
    """`parquet`, `csv` or `json` by a file's suffix, a compression's left aside; None for anything else."""
    path = PurePath(name)
    if path.suffix in _CODECS:
        path = path.with_suffix("")
    return _FORMATS.get(path.suffix.lower())


def _join(uri: str, tables: "list[pa.Table]") -> "pa.Table":
    import pyarrow as pa

    if not tables:
        raise StorageError(f"{uri}: holds no file with one of the suffixes {', '.join(_FORMATS)}")
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables, promote_options="permissive")


def _read(name: str, source: Any) -> "pa.Table":
    import pyarrow as pa

    kind = format_of(name)
    if kind is None:
        raise _UnknownSuffixError(PurePath(name).name)
    if kind == "parquet":
        from pyarrow import parquet

        return parquet.read_table(source, partitioning=None)
    with pa.input_stream(source, compression=codec_of(name)) as stream:
        if kind == "csv":
            from pyarrow import csv

            return csv.read_csv(stream)
        from pyarrow import json

        return json.read_json(stream)
