"""Writes what a training job makes to the object store: a folder of this machine, or S3.

`to` is the store's root: `.moorage/objects` is where local mode keeps its buckets, `s3://` is a real store
(address and credentials come from AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY).
"""

import argparse
import io
import os
from typing import Any

import joblib
import pyarrow as pa
import pyarrow.parquet as pq

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import write_bytes


def arguments(doc: str | None) -> argparse.Namespace:
    """The command line that all examples share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--to", default=".moorage/objects", help="root of the object store (default: %(default)s)"
    )
    return parser.parse_args()


def publish(to: str, files: dict[str, bytes]) -> None:
    """Write BUCKET/KEY to content under the store's root."""
    root = to if to.endswith("/") else f"{to}/"
    storage = StorageConfig(endpoint=os.environ.get("AWS_ENDPOINT_URL"))
    for key, content in files.items():
        write_bytes(f"{root}{key}", content, storage)
        print(f"{root}{key}  {len(content):,} bytes")


def joblib_bytes(model: Any) -> bytes:
    """The model as joblib writes it."""
    buffer = io.BytesIO()
    joblib.dump(model, buffer)
    return buffer.getvalue()


def parquet_bytes(columns: dict[str, Any]) -> bytes:
    """Named columns as one Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, row_group_size=125_000)
    return buffer.getvalue()
