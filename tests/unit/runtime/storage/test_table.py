"""The same table from every format, and errors that name the file."""

import gzip

import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import StorageError, read_table

STORAGE = StorageConfig()
TABLE = pa.table({"a": [1, 2], "b": [0.5, None], "c": ["x", "y"]})


@pytest.fixture
def write(tmp_path):
    def call(name, table=TABLE):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if "parquet" in name:
            parquet.write_table(table, path)
        elif "csv" in name:
            csv.write_csv(table, path)
        else:
            text = '{"a": 1, "b": 0.5, "c": "x"}\n{"a": 2, "b": null, "c": "y"}\n'
            path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return call


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.ndjson", "t.jsonl", "T.CSV".lower(), "t.jsonl.gz"])
def test_a_table_of_every_format(name, write):
    path = write(name)
    assert read_table(str(path), STORAGE).to_pylist() == TABLE.to_pylist()
    assert read_table(f"file://{path}", STORAGE).num_rows == 2


def test_a_folder_is_all_its_files_in_order(write, tmp_path):
    write("f/1.parquet", TABLE)
    write("f/2.parquet", pa.table({"a": [3], "b": [1.0], "c": ["z"]}))
    (tmp_path / "f/_SUCCESS").write_text("")
    assert read_table(str(tmp_path / "f"), STORAGE)["a"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.parquet", b"no parquet", "t.parquet: cannot be read as a table: "),
        ("t.csv", b"a,b\n1\n", "t.csv: cannot be read as a table: "),
        ("t.jsonl", b"{", "t.jsonl: cannot be read as a table: "),
        ("t.txt", b"", "'t.txt' has none of the suffixes .parquet"),
        ("folder/t.txt", b"", "folder: holds no file with one of the suffixes"),
        (None, b"", "none.csv: cannot be read as a table: "),
    ],
)
def test_what_is_no_table_is_named(name, content, message, tmp_path):
    path = tmp_path / (name or "none.csv")
    if name:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(StorageError) as error:
        read_table(str(path.parent if "folder" in path.parts[-2] else path), STORAGE)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
