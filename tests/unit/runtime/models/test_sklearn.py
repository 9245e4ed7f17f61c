"""What is served is what the estimator itself answers, bit for bit, under the estimator's own names."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops import io as skops

from moorage_runtime.models import InputError, LoadError
from moorage_runtime.models.signature import arrange


def names(loaded):
    return [tensor.name for tensor in loaded.model.signature.features]


@pytest.mark.parametrize("which", ["iris", "cancer"])
@pytest.mark.parametrize("suffix", ["joblib", "pkl", "skops"])
def test_predictions_are_the_estimators_own(which, suffix, request, tmp_path, dumped, loaded):
    trained = request.getfixturevalue(which)
    path = tmp_path / f"model.{suffix}"
    if suffix == "joblib":
        dumped(trained.estimator)
    elif suffix == "pkl":
        path.write_bytes(pickle.dumps(trained.estimator))
    else:
        skops.dump(trained.estimator, path)
    trusted = skops.get_untrusted_types(file=path) if suffix == "skops" else []

    result = loaded(path, "sklearn", parameters={"trusted": trusted})

    model = result.model
    answer = model.predict(arrange(trained.rows, model.signature), ("predict", "predict_proba"))
    assert np.array_equal(answer["predict"], trained.estimator.predict(trained.x))
    assert np.array_equal(answer["predict_proba"], trained.estimator.predict_proba(trained.x))
    assert names(result) == list(trained.x.columns)
    assert result.class_name == type(trained.estimator).__name__
    assert result.call_seconds > 0
    assert result.warning is None


def test_outputs_have_the_types_of_the_classes(iris, cancer, dumped, loaded):
    predict, proba = loaded(dumped(iris.estimator)).model.signature.outputs
    assert (predict.name, predict.dtype, predict.shape) == ("predict", np.int64, ())
    assert (proba.name, proba.dtype, proba.shape) == ("predict_proba", np.float64, (3,))
    text = loaded(dumped(cancer.estimator, "c.joblib")).model
    assert text.signature.outputs[0].dtype == object
    assert text.predict(arrange(cancer.rows[:1], text.signature), ("predict",))["predict"].tolist() == [
        "malignant"
    ]


def test_a_regressor_answers_floats_and_has_no_probabilities(iris, dumped, loaded):
    model = loaded(dumped(LinearRegression().fit(iris.x.to_numpy(), iris.y))).model
    assert [(o.name, o.dtype, o.shape) for o in model.signature.outputs] == [("predict", np.float64, ())]
    assert [f.name for f in model.signature.features] == ["x0", "x1", "x2", "x3"]


def test_a_regressor_of_two_outputs(iris, dumped, loaded):
    targets = np.stack([iris.y, iris.y * 2.0], axis=1)
    model = loaded(dumped(LinearRegression().fit(iris.x.to_numpy(), targets))).model
    assert model.signature.outputs[0].shape == (2,)


def test_a_classifier_of_two_outputs_has_probabilities_for_each(iris, dumped, loaded):
    targets = np.stack([iris.y, iris.y > 0], axis=1).astype(int)
    estimator = MultiOutputClassifier(LogisticRegression(max_iter=1000)).fit(iris.x.to_numpy(), targets)
    model = loaded(dumped(estimator)).model
    assert [(o.name, o.shape) for o in model.signature.outputs] == [
        ("predict", (2,)),
        ("predict_proba_0", (3,)),
        ("predict_proba_1", (2,)),
    ]
    answer = model.predict(arrange(iris.rows, model.signature), ("predict", "predict_proba_1"))
    assert np.array_equal(answer["predict"], estimator.predict(iris.x.to_numpy()))
    assert np.array_equal(answer["predict_proba_1"], estimator.predict_proba(iris.x.to_numpy())[1])


def test_a_clusterer_has_the_type_that_it_answers(iris, dumped, loaded):
    estimator = KMeans(3, n_init=1, random_state=0).fit(iris.x.to_numpy())
    assert loaded(dumped(estimator)).model.signature.outputs[0].dtype == np.int32


def mixed():
    frame = pd.DataFrame({"age": [20.0, 30, 40, 50] * 5, "town": ["ulm", "bonn", "ulm", "kiel"] * 5})
    target = [0, 1, 0, 1] * 5
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(), ["town"]))
    return make_pipeline(columns, LogisticRegression()).fit(frame, target), frame


def test_a_pipeline_of_text_and_numbers_gets_a_data_frame(dumped, loaded):
    estimator, frame = mixed()
    model = loaded(dumped(estimator)).model
    assert [(f.name, f.dtype) for f in model.signature.features] == [("age", np.float64), ("town", object)]
    rows = [[20.0, "ulm"], [30, "bonn"]]
    objects = [{"town": "ulm", "age": 20}, {"age": 30, "town": "bonn"}]
    expected = estimator.predict_proba(frame[:2])
    for data in (rows, objects, {"age": [20, 30], "town": ["ulm", "bonn"]}):
        answer = model.predict(arrange(data, model.signature), ("predict_proba",))
        assert np.array_equal(answer["predict_proba"], expected)


def test_a_category_that_the_model_never_saw_is_the_callers_fault(dumped, loaded):
    model = loaded(dumped(mixed()[0])).model
    with pytest.raises(InputError, match=r"unknown categories.*rome"):
        model.predict(arrange([[1, "rome"]], model.signature), ("predict",))


def test_nothing_warns_where_an_array_meets_an_estimator_fitted_with_names(iris, dumped, loaded):
    forest = VotingClassifier(
        [("a", RandomForestClassifier(3, random_state=0)), ("b", LogisticRegression(max_iter=1000))],
        voting="soft",
    ).fit(iris.x, iris.y)
    model = loaded(dumped(forest)).model
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer = model.predict(arrange(iris.rows, model.signature), ("predict",))["predict"]
    assert np.array_equal(answer, forest.predict(iris.x))


def test_nothing_warns_where_the_names_belong_to_a_users_own_estimator(iris, dumped, loaded):
    estimator = make_pipeline(Scaler(), LogisticRegression()).fit(iris.x, iris.y)
    model = loaded(dumped(estimator)).model
    answer = model.predict(arrange(iris.rows, model.signature), ("predict",))["predict"]
    assert np.array_equal(answer, estimator.predict(iris.x))
    assert [f.name for f in model.signature.features] == list(iris.x.columns)


@pytest.mark.parametrize(("value", "what"), [(None, "NaN or null"), (float("inf"), "infinity")])
def test_a_value_that_the_model_refuses_is_named_by_row_and_feature(value, what, iris, dumped, loaded):
    model = loaded(dumped(iris.estimator)).model
    rows = [list(row) for row in iris.rows[:3]]
    rows[2][1] = value
    with pytest.raises(InputError, match=rf"row 2, feature 'sepal width \(cm\)': .*{what}"):
        model.predict(arrange(rows, model.signature), ("predict",))


def test_a_missing_value_is_predicted_by_a_model_that_can(cancer, dumped, loaded):
    model = loaded(dumped(cancer.estimator)).model
    row = [None, *cancer.rows[0][1:]]
    answer = model.predict(arrange([row], model.signature), ("predict_proba",))["predict_proba"]
    frame = cancer.x[:1].copy()
    frame.iloc[0, 0] = np.nan
    assert np.array_equal(answer, cancer.estimator.predict_proba(frame))


def test_the_manifest_names_the_outputs(iris, dumped, loaded):
    outputs = [{"name": "species", "type": "int64"}, {"name": "scores", "type": "float64"}]
    model = loaded(dumped(iris.estimator), outputs=outputs).model
    assert model.default_outputs == ("species", "scores")
    answer = model.predict(arrange(iris.rows, model.signature), model.default_outputs)
    assert np.array_equal(answer["scores"], iris.estimator.predict_proba(iris.x))
    assert [o.name for o in model.signature.outputs] == ["species", "scores", "predict", "predict_proba"]
    usual = model.predict(arrange(iris.rows, model.signature), ("predict",))["predict"]
    assert np.array_equal(usual, answer["species"])


def test_features_of_one_type_make_a_matrix_of_that_type(iris, dumped, loaded):
    estimator = LinearRegression().fit(iris.x.to_numpy(np.float32), iris.y)
    features = [{"name": f"f{i}", "type": "float32"} for i in range(4)]
    model = loaded(dumped(estimator), features=features).model
    given = arrange(iris.rows, model.signature)
    assert given.dtype == np.float32
    assert np.array_equal(model.predict(given, ("predict",))["predict"], estimator.predict(given))


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"features": [{"name": "a", "type": "float64"}]}, "lists 1 features, the artifact has 4"),
        (
            {"features": [{"name": n, "type": "float64"} for n in "abcd"]},
            r"schema.features\[0\] is 'a', the artifact's feature 0 is 'sepal length \(cm\)'",
        ),
        ({"outputs": [{"name": "species", "type": "string"}]}, "'species' is string, the model's is int64"),
        ({"outputs": [{"name": n, "type": "float64"} for n in "abc"]}, "lists 3 outputs, the model has 2"),
        (
            {"outputs": [{"name": "predict_proba", "type": "int64"}]},
            "'predict_proba' is the name of another output",
        ),
        ({"features": [{"name": "a", "type": "complex"}]}, "unknown type 'complex'"),
    ],
)
def test_a_manifest_that_contradicts_the_artifact_is_refused(schema, message, iris, dumped, loaded):
    with pytest.raises(LoadError, match=message):
        loaded(dumped(iris.estimator), **schema)


def test_a_pickle_of_another_version_loads_and_says_so(iris, tmp_path, loaded):
    path = tmp_path / "old.pkl"
    version = sklearn.__version__
    other = version[:-1] + ("0" if version[-1] != "0" else "9")
    path.write_bytes(pickle.dumps(iris.estimator).replace(version.encode(), other.encode()))
    result = loaded(path)
    assert f"saved by scikit-learn {other}, this is {version}" in result.warning
    assert result.model.predict(arrange(iris.rows[:1], result.model.signature), ("predict",))["predict"] == [
        0
    ]


def test_skops_types_must_be_trusted_by_name(iris, tmp_path, loaded):
    path = tmp_path / "model.skops"
    skops.dump(make_pipeline(Scaler(), LogisticRegression()).fit(iris.x.to_numpy(), iris.y), path)
    untrusted = skops.get_untrusted_types(file=path)
    assert untrusted
    with pytest.raises(LoadError, match=r"not trusted: .*Scaler; list them in parameters\.trusted"):
        loaded(path)
    assert loaded(path, parameters={"trusted": untrusted}).class_name == "Pipeline"
    with pytest.raises(LoadError, match=r"parameters.trusted must be a list"):
        loaded(path, parameters={"trusted": "all"})


class Scaler(StandardScaler):
    """A type that skops does not know."""
