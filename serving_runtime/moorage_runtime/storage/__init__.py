"""URIs to files and back: models, data sets and reports, wherever they lie.

Plain paths, file://, pvc://CLAIM/PATH and s3:// are read and written, http(s):// is read.
"""

from moorage_runtime.storage.access import fetch, read_bytes, write_bytes
from moorage_runtime.storage.digest import digest
from moorage_runtime.storage.table import read_table
from moorage_runtime.storage.uri import StorageError

__all__ = ["StorageError", "digest", "fetch", "read_bytes", "read_table", "write_bytes"]
