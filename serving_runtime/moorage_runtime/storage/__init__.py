"""URIs to files and back: models, data sets and reports, wherever they lie.

Plain paths, file://, pvc://CLAIM/PATH and s3:// are read and written, http(s):// is read.
"""

from moorage_runtime.storage.access import fetch, read_bytes, write_bytes
from moorage_runtime.storage.conditional import read_tagged, write_if
from moorage_runtime.storage.digest import digest
from moorage_runtime.storage.files import FileInfo, list_files, open_input, open_output, remove
from moorage_runtime.storage.objects import Changed
from moorage_runtime.storage.table import codec_of, format_of, read_table
from moorage_runtime.storage.uri import StorageError

__all__ = [
    "Changed",
    "FileInfo",
    "StorageError",
    "codec_of",
    "digest",
    "fetch",
    "format_of",
    "list_files",
    "open_input",
    "open_output",
    "read_bytes",
    "read_table",
    "read_tagged",
    "remove",
    "write_bytes",
    "write_if",
]
