"""Whatever is wrong with an artifact, the answer is one line that says what, and nothing of it is executed unverified."""

import builtins
import hashlib
import importlib.util
import pickle
from pathlib import Path

import pytest

from moorage_runtime.models import LoadError, artifact


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


def test_a_wrong_digest_is_refused_before_anything_is_unpickled(tmp_path, loaded):
    path, proof = tmp_path / "m.pkl", tmp_path / "executed"
    path.write_bytes(pickle.dumps(Bomb(proof)))
    with pytest.raises(LoadError) as error:
        loaded(path, sha256="0" * 64)
    assert error.value.reason == "DigestMismatch"
    assert "0" * 64 in str(error.value)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in str(error.value)
    assert not proof.exists()

    with pytest.raises(LoadError, match="has no predict"):
        loaded(path)
    assert proof.exists(), "the same pickle does run without a pin, so the pin is what stopped it"


def test_the_digest_is_that_of_the_file(iris, dumped, loaded):
    path = dumped(iris.estimator)
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded(path, sha256=sha).digest == sha


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.joblib", b"", "m.joblib: is not a complete pickle"),
        ("m.joblib", b"these are no bytes of a model", "m.joblib: "),
        ("m.pkl", pickle.dumps([1, 2, 3]), "m.pkl: holds a list, which has no predict"),
        ("m.skops", b"PK no zip", "m.skops: cannot be read by skops"),
        ("m.onnx", b"no graph", "m.onnx: is not an ONNX graph"),
        ("m.bin", b"?", "m.bin: a file with one of the suffixes"),
        (
            "m.pkl",
            b"cno_such_module\nClass\n.",
            "needs the Python module 'no_such_module'; give it by `code`",
        ),
        ("m.pkl", b"c__main__\nNoSuchClass\n.", "give the class by `code`"),
    ],
)
def test_what_is_no_model_is_refused_with_its_name(name, content, message, tmp_path, loaded):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LoadError) as error:
        loaded(path)
    assert message in str(error.value)
    assert error.value.reason == "ModelLoadFailed"
    assert len(str(error.value)) <= 512
    assert "\n" not in str(error.value)


def test_a_truncated_model_is_refused(iris, dumped, loaded):
    path = dumped(iris.estimator)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(LoadError, match=r"model\.joblib: "):
        loaded(path)


def test_a_message_has_its_bound(tmp_path, loaded):
    with pytest.raises(LoadError) as error:
        loaded(tmp_path / "a" / ("long" * 60) / ("name" * 60) / "m.joblib")
    assert len(str(error.value)) <= 512


def test_a_missing_file_names_the_uri(tmp_path, loaded):
    with pytest.raises(LoadError, match="file:///no/such: there is no such file or folder"):
        loaded("file:///no/such")


def test_an_unknown_framework_names_those_that_exist(iris, dumped, loaded):
    with pytest.raises(LoadError, match="'torch' is not one of this runtime's: sklearn, onnx, python"):
        loaded(dumped(iris.estimator), "torch")


@pytest.mark.parametrize(
    ("library", "name", "message"),
    [
        ("sklearn", "m.joblib", r"scikit-learn is not installed: install moorage\[sklearn\]"),
        ("skops", "m.skops", r"skops is not installed: install moorage\[sklearn\]"),
        ("onnxruntime", "m.onnx", r"onnxruntime is not installed: install moorage\[onnx\]"),
    ],
)
def test_a_missing_library_names_the_extra(library, name, message, tmp_path, loaded, monkeypatch):
    real = builtins.__import__

    def without(wanted, *args, **kwargs):
        if wanted.partition(".")[0] == library:
            raise ModuleNotFoundError(f"No module named {library!r}", name=library)
        return real(wanted, *args, **kwargs)

    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(LoadError, match=message):
        loaded(tmp_path / name)


def test_a_folder_with_one_model_is_that_model(iris, dumped, loaded, tmp_path):
    (tmp_path / "folder").mkdir()
    dumped(iris.estimator, "folder/model.joblib")
    (tmp_path / "folder/README.md").write_text("iris")
    assert loaded(tmp_path / "folder").class_name == "Pipeline"


@pytest.mark.parametrize(
    ("files", "message"), [([], "holds no file"), (["a.pkl", "b.onnx"], "holds 2 models: a.pkl, b.onnx")]
)
def test_a_folder_without_exactly_one_model_is_refused(files, message, tmp_path):
    for name in files:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(LoadError, match=message):
        artifact.framework_of(tmp_path)


def test_columns_by_name_need_pandas(dumped, loaded, monkeypatch):
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame = pd.DataFrame({"a": [1.0, 2], "b": [2.0, 1]})
    path = dumped(
        make_pipeline(make_column_transformer((StandardScaler(), ["a"])), LogisticRegression()).fit(
            frame, [0, 1]
        )
    )
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pandas" else real(name))
    with pytest.raises(LoadError, match=r"needs pandas: install moorage\[pandas\]"):
        loaded(path)


def test_a_pickle_that_ends_the_process_only_fails(tmp_path, loaded):
    path = tmp_path / "m.pkl"
    path.write_bytes(b"csys\nexit\n(I3\ntR.")
    with pytest.raises(LoadError, match="SystemExit: 3"):
        loaded(path)


def test_an_estimator_that_fails_on_any_row_is_not_served(dumped, loaded, iris):
    from sklearn.linear_model import LogisticRegression

    broken = LogisticRegression(max_iter=1000).fit(iris.x, iris.y)
    del broken.coef_
    with pytest.raises(LoadError, match="predict fails on a row of zeros: "):
        loaded(dumped(broken))
