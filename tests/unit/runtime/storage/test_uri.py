"""What a URI may point at, and what it may not."""

from pathlib import Path

import pytest

from moorage_runtime import config
from moorage_runtime.storage.uri import Local, Remote, StorageError, resolve


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("models/iris.joblib", Local(Path("models/iris.joblib"))),
        ("/models/iris.joblib", Local(Path("/models/iris.joblib"))),
        ("file:///models/my%20iris.joblib", Local(Path("/models/my iris.joblib"))),
        ("FILE://localhost/models", Local(Path("/models"))),
        ("pvc://claim/iris/v3", Local(Path(config.VOLUMES_DIR) / "claim/iris/v3")),
        ("pvc://claim", Local(Path(config.VOLUMES_DIR) / "claim")),
        ("s3://models/iris/v3/", Remote("s3", "models/iris/v3", "v3")),
        ("https://h/a/b.onnx?sig=x", Remote("http", "https://h/a/b.onnx?sig=x", "b.onnx")),
        ("http://h:1/a/..%2f..%2fetc", Remote("http", "http://h:1/a/..%2f..%2fetc", "etc")),
        ("http://h/..", Remote("http", "http://h/..", "artifact")),
    ],
)
def test_places(uri, place):
    assert resolve(uri) == place


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("", "an empty URI"),
        (
            "gs://bucket/key",
            "gs://bucket/key: scheme 'gs' is not supported; supported: file, s3, http, https, pvc",
        ),
        ("s3://bucket", "s3://BUCKET/KEY is needed"),
        ("s3:///key", "s3://BUCKET/KEY is needed"),
        ("http:///path", "a host is needed"),
        ("file://host/path", "file:///ABSOLUTE/PATH is needed"),
        ("file://path", "file:///ABSOLUTE/PATH is needed"),
        ("pvc://claim/../other", "pvc://CLAIM/PATH is needed"),
        ("pvc://../etc", "pvc://CLAIM/PATH is needed"),
        ("pvc:///path", "pvc://CLAIM/PATH is needed"),
    ],
)
def test_what_is_no_place_is_refused_by_name(uri, message):
    with pytest.raises(StorageError) as error:
        resolve(uri)
    assert message in str(error.value)
    assert uri in str(error.value)
