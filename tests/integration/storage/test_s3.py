"""Models, tables and reports in a real S3 server, with its own ideas of signatures and listings."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import pyarrow as pa
import pytest
from pyarrow import parquet
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from moorage_runtime.config import ModelConfig, StorageConfig
from moorage_runtime.models import LoadError, load
from moorage_runtime.models.signature import arrange
from moorage_runtime.storage import StorageError, digest, fetch, read_bytes, read_table, write_bytes


@pytest.fixture
def storage(s3, monkeypatch):
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    s3.bucket("models")
    return StorageConfig(endpoint=s3.endpoint, region=s3.region)


def test_what_is_written_is_read(storage, s3):
    data = bytes(range(256)) * 40_000
    write_bytes("s3://models/reports/a/report.bin", data, storage)
    assert read_bytes("s3://models/reports/a/report.bin", storage) == data
    assert (s3.root / "models/reports/a/report.bin").read_bytes() == data


def test_an_object_is_fetched_once_per_version(storage, tmp_path):
    uri = "s3://models/iris/v3/model.joblib"
    write_bytes(uri, b"one", storage)
    first = fetch(uri, tmp_path, storage)
    assert (first.name, first.read_bytes()) == ("model.joblib", b"one")
    inode = first.stat().st_ino
    assert fetch(uri, tmp_path, storage).stat().st_ino == inode
    write_bytes(uri, b"two!", storage)
    assert fetch(uri, tmp_path, storage).read_bytes() == b"two!"


def test_a_folder_of_more_objects_than_one_page_has_the_digest_of_the_same_folder_here(storage, s3, tmp_path):
    here = s3.bucket("folders") / "big"
    (here / "nested").mkdir(parents=True)
    for i in range(1100):
        (here / f"part-{i:04}").write_bytes(str(i).encode())
    (here / "nested/model.onnx").write_bytes(b"model")
    fetched = fetch("s3://folders/big/", tmp_path, storage)
    assert fetched.is_dir()
    assert sum(path.is_file() for path in fetched.rglob("*")) == 1101
    assert digest(fetched) == digest(here)


def test_many_processes_worth_of_fetches_see_one_whole_folder(storage, s3, tmp_path):
    folder = s3.bucket("models") / "shared"
    folder.mkdir(exist_ok=True)
    for i in range(20):
        (folder / f"f{i}").write_bytes(b"x" * 10_000)
    start = threading.Barrier(6)

    def run(_):
        start.wait()
        return fetch("s3://models/shared", tmp_path, storage)

    with ThreadPoolExecutor(6) as pool:
        paths = set(pool.map(run, range(6)))
    assert len(paths) == 1
    assert len(list(paths.pop().iterdir())) == 20
    assert len(list(tmp_path.iterdir())) == 1


def test_a_model_is_served_from_a_bucket(storage, tmp_path):
    data = load_iris()
    estimator = LogisticRegression(max_iter=1000).fit(data.data, data.target)
    buffer = io.BytesIO()
    joblib.dump(estimator, buffer)
    uri = "s3://models/served/model.joblib"
    write_bytes(uri, buffer.getvalue(), storage)
    config = ModelConfig(name="iris", uri=uri, framework="sklearn")
    loaded = load(config, storage, tmp_path)
    answer = loaded.model.predict(arrange(data.data.tolist(), loaded.model.signature), ("predict",))
    assert (answer["predict"] == estimator.predict(data.data)).all()
    with pytest.raises(LoadError, match="the manifest pins") as error:
        load(config.model_copy(update={"sha256": "0" * 64}), storage, tmp_path)
    assert error.value.reason == "DigestMismatch"


def test_tables_are_read_from_a_bucket(storage):
    table = pa.table({"a": [1, 2], "label": ["x", "y"]})
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    write_bytes("s3://models/data/1.parquet", buffer.getvalue(), storage)
    write_bytes("s3://models/data/2.csv", b"a,label\n3,z\n", storage)
    write_bytes("s3://models/data/_SUCCESS", b"", storage)
    assert read_table("s3://models/data/1.parquet", storage).to_pylist() == table.to_pylist()
    assert read_table("s3://models/data/", storage)["a"].to_pylist() == [1, 2, 3]
    write_bytes("s3://models/data/broken.parquet", b"no", storage)
    with pytest.raises(StorageError, match=r"s3://models/data/broken\.parquet: cannot be read as a table"):
        read_table("s3://models/data/broken.parquet", storage)


@pytest.mark.parametrize(
    "call",
    [
        lambda uri, storage, cache: fetch(uri, cache, storage),
        lambda uri, storage, cache: read_bytes(uri, storage),
        lambda uri, storage, cache: read_table(uri, storage),
    ],
)
@pytest.mark.parametrize("uri", ["s3://models/none.csv", "s3://no-such-bucket/none.csv"])
def test_what_is_not_there_is_named_once(call, uri, storage, tmp_path):
    with pytest.raises(StorageError) as error:
        call(uri, storage, tmp_path)
    assert str(error.value).startswith(f"{uri}: there is no such object")
    assert str(error.value).count(uri) == 1


def test_wrong_credentials_are_refused_in_one_line(storage, monkeypatch, tmp_path):
    write_bytes("s3://models/secret", b"1", storage)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageError, match="s3://models/secret: ") as error:
        fetch("s3://models/secret", tmp_path, storage)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_without_credentials_a_private_bucket_is_refused_at_once(storage, monkeypatch, tmp_path):
    write_bytes("s3://models/private", b"1", storage)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(StorageError, match="s3://models/private: "):
        fetch("s3://models/private", tmp_path, storage)
