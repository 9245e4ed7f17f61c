"""User code runs as its author wrote it: plain classes, and classes written for MLRun, unchanged."""

import importlib
import sys
import zipfile

import joblib
import numpy as np
import pytest
from sklearn.base import clone

from moorage_runtime.models import InputError, LoadError
from moorage_runtime.models.signature import arrange

MLRUN = '''
import joblib
import numpy as np


class ClassifierModel:
    """As written for mlrun.serving.V2ModelServer."""

    def __init__(self, context, name, model_path, scale=1, **class_args):
        self.context = context
        self.name = name
        self.scale = scale
        self.class_args = class_args

    def load(self):
        model_file, extra_data = self.get_model(".joblib")
        self.model = joblib.load(model_file)
        self.extra = sorted(extra_data)
        self.context.logger.info("loaded %s", model_file, scale=self.scale)

    def preprocess(self, request, operation):
        request["inputs"] = [[value / self.scale for value in row] for row in request["inputs"]]
        return request

    def validate(self, request, operation):
        if any(len(row) != 4 for row in request["inputs"]):
            raise ValueError("four features are needed")
        return request

    def predict(self, request):
        return self.model.predict(np.asarray(request["inputs"])).tolist()

    def postprocess(self, response):
        names = self.get_param("labels") or self.class_args.get("labels")
        response["outputs"] = [names[i] for i in response["outputs"]]
        return response

    def explain(self, request):
        return [sum(row) for row in request["inputs"]]

    def op_info(self, event):
        return {"name": self.name, "asked": event.body, "extra": self.extra}
'''


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Write a module; its folder. The process's import state is put back afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(text, module="model", folder="code"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{module}.py").write_text(text)
        return tmp_path / folder

    yield write
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture
def artifact(tmp_path):
    path = tmp_path / "weights.txt"
    path.write_text("3")
    return path


def test_a_class_written_for_mlrun_works_unchanged(iris, dumped, tmp_path, code, loaded):
    (tmp_path / "artifact").mkdir()
    dumped(clone(iris.estimator).fit(iris.x.to_numpy(), iris.y), "artifact/model.joblib")
    (tmp_path / "artifact/notes.txt").write_text("")
    labels = ["setosa", "versicolor", "virginica"]
    result = loaded(
        tmp_path / "artifact",
        "python",
        code_uri=str(code(MLRUN)),
        python_class="model:ClassifierModel",
        parameters={"scale": 2, "labels": labels},
    )
    model = result.model
    assert result.class_name == "ClassifierModel"
    assert not model.stackable
    doubled = [[value * 2 for value in row] for row in iris.rows]
    answer = model.predict(arrange(doubled, model.signature), ("predict",))["predict"]
    assert answer.tolist() == [labels[i] for i in iris.estimator.predict(iris.x)]
    assert model.operations["info"]({"a": 1}) == {"name": "m", "asked": {"a": 1}, "extra": ["notes.txt"]}
    assert set(model.operations) == {"explain", "info"}
    with pytest.raises(InputError, match="four features are needed"):
        model.predict(arrange([[1, 2]], model.signature), ("predict",))


def test_explain_goes_through_the_classs_own_steps(iris, dumped, code, loaded):
    path = dumped(clone(iris.estimator).fit(iris.x.to_numpy(), iris.y))
    text = MLRUN.replace("names[i]", "names[int(i)]")
    model = loaded(
        path,
        "python",
        code_uri=str(code(text)),
        python_class="model:ClassifierModel",
        parameters={"labels": {0: "none", 4: "four"}},
    ).model
    assert model.operations["explain"]({"inputs": [[1, 1, 1, 1]]}) == ["four"]


def test_a_class_without_a_constructor_gets_what_mlrun_would_have_given(artifact, code, loaded):
    text = """
import pathlib


class Model:
    def load(self):
        path, extra = self.get_model(".txt")
        self.model = int(pathlib.Path(path).read_text())

    def predict(self, request):
        return [row[0] * self.model * self.get_param("factor", 1) for row in request["inputs"]]
"""
    model = loaded(
        artifact, "python", code_uri=str(code(text)), python_class="model:Model", parameters={"factor": 10}
    ).model
    assert model.predict(arrange([[1], [2]], model.signature), ("predict",))["predict"].tolist() == [30, 60]


PLAIN = """
import pathlib

class Model:
    def __init__(self, factor=1):
        self.factor = factor

    def load(self, path):
        self.weight = int(pathlib.Path(path).read_text())

    def predict(self, inputs):
        return {"sum": inputs["a"] + inputs["b"] * self.weight * self.factor, "text": inputs["t"]}

    def explain(self, rows):
        return {"rows": len(rows)}

    def op_weight(self, body):
        return self.weight
"""


def test_a_plain_class_gets_the_columns_of_the_manifest(artifact, code, loaded):
    model = loaded(
        artifact,
        "python",
        code_uri=str(code(PLAIN)),
        python_class="model:Model",
        parameters={"factor": 2},
        features=[{"name": n, "type": t} for n, t in (("a", "float64"), ("b", "int64"), ("t", "string"))],
        outputs=[{"name": "sum", "type": "float64"}, {"name": "text", "type": "string"}],
    ).model
    answer = model.predict(arrange([[1, 2, "x"], [3, 4, "y"]], model.signature), model.default_outputs)
    assert answer["sum"].tolist() == [13, 27]
    assert answer["text"].tolist() == ["x", "y"]
    assert model.predict(arrange([[1, 2, "x"]], model.signature), ("predict",))["predict"].tolist() == [13]
    assert model.operations["explain"]({"inputs": [1, 2]}) == {"rows": 2}
    assert model.operations["weight"]({}) == 3
    with pytest.raises(InputError, match="feature 'b': row 0: a number"):
        arrange([[1, "2", "x"]], model.signature)


def test_a_plain_class_without_a_schema_gets_the_rows_as_sent(artifact, code, loaded):
    text = "class Model:\n    def predict(self, inputs):\n        return [str(row) for row in inputs]\n"
    model = loaded(artifact, "python", code_uri=str(code(text)), python_class="model:Model").model
    rows = [{"a": 1}, [2]]
    answer = model.predict(arrange(rows, model.signature), ("predict",))["predict"]
    assert answer.tolist() == ["{'a': 1}", "[2]"]
    matrix = model.predict(np.array([[1.5]]), ("predict",))["predict"]
    assert matrix.tolist() == ["[1.5]"]


def test_answers_of_any_kind_become_arrays(artifact, code, loaded):
    text = "class Model:\n    def predict(self, inputs):\n        return inputs[0]\n"
    model = loaded(artifact, "python", code_uri=str(code(text)), python_class="model:Model").model

    def answer(value):
        return model.predict(arrange([value], model.signature), ("predict",))["predict"]

    assert answer([1, 2]).dtype == np.int64
    assert answer([[1.5], [2]]).shape == (2, 1)
    assert answer(["a", "b"]).tolist() == ["a", "b"]
    assert answer([{"a": 1}, {"b": 2}]).tolist() == [{"a": 1}, {"b": 2}]
    assert answer([[1], [2, 3]]).tolist() == [[1], [2, 3]]
    assert answer([]).tolist() == []
    assert answer(7).tolist() == [7]


@pytest.mark.parametrize("kind", ["zip", "whl", "py", "folder"])
def test_code_comes_as_an_archive_a_file_or_a_folder(kind, artifact, code, tmp_path, loaded):
    folder = code("class Model:\n    def predict(self, inputs):\n        return [1]\n", module="mine")
    uri = {"folder": folder, "py": folder / "mine.py"}.get(kind)
    if uri is None:
        uri = tmp_path / f"code.{kind}"
        with zipfile.ZipFile(uri, "w") as archive:
            archive.write(folder / "mine.py", "mine.py")
    model = loaded(artifact, "python", code_uri=str(uri), python_class="mine:Model").model
    assert model.predict(arrange([[1]], model.signature), ("predict",))["predict"].tolist() == [1]


def test_a_missing_file_of_the_artifact_is_named(tmp_path, code, loaded):
    (tmp_path / "empty").mkdir()
    text = "class Model:\n    def load(self):\n        self.get_model('.pkl')\n    def predict(self, request):\n        return []\n"
    with pytest.raises(LoadError, match=r"^folder empty: holds no file that ends with '\.pkl'$"):
        loaded(tmp_path / "empty", "python", code_uri=str(code(text)), python_class="model:Model")


def test_two_models_may_both_bring_a_module_of_the_same_name(artifact, code, loaded):
    text = "import helper\nclass Model:\n    def predict(self, inputs):\n        return [helper.WHO]\n"
    models = []
    for who in ("one", "two"):
        code(f"WHO = {who!r}\n", module="helper", folder=who)
        folder = code(text, folder=who)
        models.append(loaded(artifact, "python", code_uri=str(folder), python_class="model:Model").model)
    answers = [m.predict(arrange([[1]], m.signature), ("predict",))["predict"].tolist() for m in models]
    assert answers == [["one"], ["two"]]


@pytest.mark.parametrize("member", ["../evil.py", "/tmp/evil.py", "a/../../evil.py", "..\\evil.py"])
def test_an_archive_cannot_write_outside_its_folder(member, artifact, tmp_path, loaded):
    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "x = 1")
    with pytest.raises(LoadError, match="would leave the code's folder"):
        loaded(artifact, "python", code_uri=str(path), python_class="evil:Model")
    assert not list(tmp_path.rglob("evil.py"))


GOOD = "class Model:\n    def predict(self, inputs):\n        return [1]\n"


@pytest.mark.parametrize(
    ("text", "python_class", "message"),
    [
        (
            "import mlrun.serving\n",
            "model:Model",
            "model imports mlrun, which this image lacks: use an image that has it",
        ),
        (
            "from mlrun.serving import V2ModelServer\n",
            "model:Model",
            "model imports mlrun, which this image lacks",
        ),
        (
            "import no_such_library\n",
            "model:Model",
            "model imports 'no_such_library', which this image lacks",
        ),
        ("1 / 0\n", "model:Model", "importing model fails: ZeroDivisionError"),
        ("def f(:\n", "model:Model", "importing model fails: SyntaxError"),
        (GOOD, "absent:Model", "there is no module 'absent': give its code by `code`"),
        (GOOD, "model:Absent", "module model has no class 'Absent'"),
        (GOOD, "Model", "pythonClass 'Model' names no module"),
        (GOOD, None, "framework python needs pythonClass: MODULE:CLASS"),
        ("class Model:\n    pass\n", "model:Model", "class Model has no method predict"),
        (
            GOOD + "    def load(self):\n        raise OSError('no weights')\n",
            "model:Model",
            "class Model fails to load: OSError: no weights",
        ),
        (
            GOOD + "    def load(self):\n        import mlrun\n",
            "model:Model",
            "model imports mlrun, which this image lacks",
        ),
        (GOOD + "    def __init__(self, needed):\n        pass\n", "model:Model", "fails to load: TypeError"),
    ],
)
def test_code_that_does_not_load_says_why(text, python_class, message, artifact, code, loaded):
    with pytest.raises(LoadError) as error:
        loaded(artifact, "python", code_uri=str(code(text)), python_class=python_class)
    assert message in str(error.value)


def test_the_users_errors_are_told_apart(artifact, code, loaded):
    text = """
class Model:
    def predict(self, inputs):
        if inputs == ["bad"]:
            raise ValueError("this is no row")
        if inputs == ["bug"]:
            raise KeyError("missing")
        return {"other": [1]}
"""
    model = loaded(artifact, "python", code_uri=str(code(text)), python_class="model:Model").model
    with pytest.raises(InputError, match="this is no row"):
        model.predict(arrange(["bad"], model.signature), ("predict",))
    with pytest.raises(KeyError):
        model.predict(arrange(["bug"], model.signature), ("predict",))
    with pytest.raises(RuntimeError, match="returned no 'predict', but other"):
        model.predict(arrange(["ok"], model.signature), ("predict",))


def test_a_class_that_dislikes_zeros_still_loads_with_a_warning(artifact, code, loaded):
    text = "class Model:\n    def predict(self, inputs):\n        return [1 / int(v) for v in inputs[:, 0]]\n"
    result = loaded(
        artifact,
        "python",
        code_uri=str(code(text)),
        python_class="model:Model",
        features=[{"name": "a", "type": "int64"}],
    )
    assert "predict fails on a row of zeros: ZeroDivisionError" in result.warning
    assert result.model.predict(arrange([[2]], result.model.signature), ("predict",))["predict"].tolist() == [
        0.5
    ]


def test_a_pickle_may_need_code(tmp_path, code, loaded):
    folder = code(
        "from sklearn.dummy import DummyClassifier\nclass Mine(DummyClassifier):\n    pass\n",
        module="own_estimators",
    )
    sys.path.insert(0, str(folder))
    estimator = importlib.import_module("own_estimators").Mine().fit([[1], [2]], [1, 1])
    joblib.dump(estimator, tmp_path / "m.joblib")
    sys.path.remove(str(folder))
    del sys.modules["own_estimators"]
    with pytest.raises(LoadError, match="needs the Python module 'own_estimators'"):
        loaded(tmp_path / "m.joblib")
    assert loaded(tmp_path / "m.joblib", code_uri=str(folder)).class_name == "Mine"
