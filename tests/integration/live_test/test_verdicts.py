"""What the tester finds out about a server, over HTTP."""

import json
import re
import socket
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from moorage_runtime.config import (
    CaptureConfig,
    ExpectConfig,
    LoadConfig,
    ModelConfig,
    SkewConfig,
    StreamConfig,
)

DIGEST = "ab" * 32
ACCURATE = [ExpectConfig(name="accuracy", min=0.9), ExpectConfig(name="errors", max=0)]


def metrics(status):
    return {metric.name: metric for metric in status.metrics}


def probes(status):
    return {probe.name: probe for probe in status.probes}


def test_a_good_model_passes_with_mlruns_names_and_a_report(served, tested, iris, tmp_path):
    oip = served(probabilities=iris.predict_proba)
    code, status, printed = tested(
        oip.url,
        expect=[*ACCURATE, ExpectConfig(name="roc_auc", min=0.95), ExpectConfig(name="match", min=36)],
        load=LoadConfig(concurrency=4),
        negative=True,
        expected_digest=DIGEST,
        report_uri=str(tmp_path / "reports"),
    )
    assert (code, status.verdict) == (0, "Passed"), status.message
    got = metrics(status)
    assert got["total_tests"].value == 40
    assert got["match"].value / 40 == pytest.approx(got["accuracy"].value)
    assert 0 < got["min_latency"].value <= got["avg_latency"].value <= got["max_latency"].value
    assert got["log_loss"].value > 0
    assert all(probe.passed for probe in status.probes)
    assert {
        "digest",
        "unchanged",
        "negative_unknown_model",
        "negative_nan",
        "negative_missing_feature",
    } <= set(probes(status))
    assert status.serving_revision == "r1"

    folder = Path(status.report_uri)
    document = json.loads((folder / "report.json").read_bytes())
    truth = load_iris().target
    assert len(document["records"]) == 40
    assert all(record["label"] == truth[record["row"]] for record in document["records"])
    assert int(ET.parse(folder / "junit.xml").getroot().find("testsuite").get("failures")) == 0
    assert "Confusion matrix" in (folder / "report.html").read_text()
    assert "accuracy" in printed
    assert "Passed:" in printed


def test_the_sample_is_the_same_in_every_run(served, tested):
    oip = served()
    sent = []
    for _ in range(2):
        oip.bodies.clear()
        tested(oip.url)
        sent.append([body["inputs"] for body in oip.bodies if "-warm-" not in body["id"]])
    assert sent[0] == sent[1]
    assert len(set(oip.ids)) == len(oip.ids)


def test_swapped_labels_fail(served, tested, iris):
    swapped = np.array([1, 0, 2])
    oip = served(predict=lambda rows: swapped[iris.predict(rows)])
    code, status, _ = tested(oip.url, expect=ACCURATE)
    assert (code, status.verdict) == (1, "Failed")
    assert metrics(status)["accuracy"].passed is False
    assert "is below 0.9" in status.message


def test_string_classes_match_integer_labels(served, tested, iris):
    oip = served(predict=lambda rows: iris.predict(rows).astype(str))
    assert tested(oip.url, expect=ACCURATE)[0] == 0


@pytest.mark.parametrize("digest", ["cd" * 32, None])
def test_a_wrong_or_missing_digest_fails(served, tested, digest):
    oip = served(digest=digest)
    code, status, _ = tested(oip.url, expected_digest=DIGEST)
    assert (code, status.verdict) == (1, "Failed")
    assert not probes(status)["digest"].passed
    assert DIGEST in probes(status)["digest"].message


def test_a_model_exchanged_during_the_run_fails(served, tested):
    oip = served(digest_later="ef" * 32)
    code, status, _ = tested(oip.url)
    assert code == 1
    assert "digest was abab" in probes(status)["unchanged"].message


def test_a_slow_server_fails_its_latency_bound(served, tested):
    slow = served(delay=0.2)
    bound = [ExpectConfig(name="latency_p50_milliseconds", max=150)]
    code, status, _ = tested(slow.url, expect=bound, load=LoadConfig(concurrency=10))
    assert (code, status.verdict) == (1, "Failed")
    assert metrics(status)["latency_p50_milliseconds"].value >= 200
    assert metrics(status)["min_latency"].value >= 200_000


def test_an_open_loop_sends_rate_times_duration_and_goes_round_the_sample(served, tested):
    oip = served(delay=0.05)
    code, status, printed = tested(
        oip.url, load=LoadConfig(requests_per_second=60, duration_seconds=1), expect=ACCURATE
    )
    assert (code, metrics(status)["total_tests"].value) == (0, 60), status.message
    load = [name for name in oip.ids if "-warm-" not in name]
    assert len(set(load)) == 60
    assert "open loop, 60 requests/s for 1 s" in printed
    assert "client_late_p99_milliseconds" in printed


def test_an_open_loop_too_short_for_the_sample_says_so(served, tested):
    code, _, printed = tested(served().url, load=LoadConfig(requests_per_second=25, duration_seconds=1))
    assert code == 0
    assert "note: rate and duration make 25 requests: 15 records were not sent" in printed


def test_an_open_loop_shows_the_wait_for_a_connection(served, tested):
    """One connection, 0.1 s a request, 20 requests within a second: the last waits for all before it."""
    oip = served(delay=0.1)
    load = LoadConfig(requests_per_second=20, duration_seconds=1, concurrency=1)
    _, status, _ = tested(oip.url, load=load)
    assert metrics(status)["max_latency"].value > 900_000
    assert metrics(status)["min_latency"].value < 900_000


def test_a_server_that_answers_garbage_fails_the_negative_probes(served, tested):
    oip = served(lenient=True)
    code, status, _ = tested(oip.url, negative=True)
    assert (code, status.verdict) == (1, "Failed")
    failed = {probe.name for probe in status.probes if not probe.passed}
    assert failed >= {
        "negative_malformed_json",
        "negative_nan",
        "negative_wrong_shape",
        "negative_empty_inputs",
    }
    assert "negative_unknown_model" not in failed
    assert "expected 4xx, got 200" in probes(status)["negative_malformed_json"].message


def test_error_bodies_in_another_shape_fail(served, tested):
    _, status, _ = tested(served(plain_errors=True).url, negative=True)
    assert 'the body is not {"error": "…"}' in probes(status)["negative_unknown_model"].message


def test_a_server_that_a_bad_request_breaks_fails(served, tested):
    code, status, _ = tested(served(dies_of_nan=True).url, negative=True)
    assert code == 1
    assert "after the bad ones" in probes(status)["negative_still_serving"].message


def test_a_server_without_metadata_gets_a_generic_matrix(served, tested, tmp_path):
    data = load_iris()
    path = tmp_path / "plain.csv"
    lines = [
        "a,b,c,d,label",
        *(",".join(map(str, [*r, y])) for r, y in zip(data.data, data.target, strict=True)),
    ]
    path.write_text("\n".join(lines))
    oip = served(metadata=False)
    code, status, _ = tested(oip.url, dataset={"uri": str(path)}, expect=ACCURATE, negative=True)
    assert code == 0, status.message
    assert oip.bodies[0]["inputs"][0]["shape"] == [1, 4]


def test_a_regression_gets_its_own_metrics(served, tested, records, tmp_path):
    path = tmp_path / "regression.csv"
    lines = [line.rsplit(",", 1) for line in records.read_text().splitlines()[1:]]
    head = records.read_text().splitlines()[0]
    path.write_text("\n".join([head, *(f"{row},{float(row.split(',')[1]) * 2 + 0.01}" for row, _ in lines)]))
    oip = served(predict=lambda rows: rows[:, 0] * 2)
    expect = [ExpectConfig(name="mean_absolute_error", max=0.02), ExpectConfig(name="r2", min=0.99)]
    code, status, _ = tested(
        oip.url, dataset={"uri": str(path)}, expect=expect, report_uri=str(tmp_path / "r")
    )
    assert code == 0, status.message
    assert metrics(status)["mean_absolute_error"].value == pytest.approx(0.01)
    assert metrics(status)["match"].value == 0
    assert "Residuals" in (Path(status.report_uri) / "report.html").read_text()


@pytest.fixture
def artifact(iris, tmp_path):
    import joblib

    path = tmp_path / "model.joblib"
    joblib.dump(iris, path)
    return path


def skew(artifact):
    return SkewConfig(model=ModelConfig(name="iris", uri=str(artifact), framework="sklearn"))


def test_the_offline_model_agrees(served, tested, artifact):
    code, status, _ = tested(served().url, skew=skew(artifact))
    assert code == 0, status.message
    assert metrics(status)["offline_skew_count"].value == 0


def test_a_live_model_that_differs_from_the_offline_one_fails(served, tested, iris, artifact):
    oip = served(predict=lambda rows: np.minimum(iris.predict(rows), 1))
    code, status, _ = tested(oip.url, skew=skew(artifact))
    assert code == 1
    assert "live 1, offline 2" in probes(status)["offline_skew"].message


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


ERRORS = {
    "server down": (lambda c: {"url": f"http://127.0.0.1:{free_port()}"}, "cannot be reached"),
    "unknown model": (lambda c: {"model": "irsi"}, "has no model 'irsi'; it has: iris"),
    "no data set": (lambda c: {"dataset": {"uri": str(c / "none.csv")}}, "dataset.uri: .*none.csv"),
    "broken data set": (lambda c: {"dataset": {"uri": str(c / "bad.parquet")}}, "dataset.uri: .*bad.parquet"),
    "no label column": (
        lambda c: {"dataset": {"label_column": "klass"}},
        "dataset.labelColumn: .* has no column 'klass'; it has: id, sepal_length",
    ),
    "unknown metric": (
        lambda c: {"expect": [ExpectConfig(name="r2", min=0)]},
        "no metric r2; it has: accuracy, avg_latency",
    ),
    "bad stream": (
        lambda c: {"capture": CaptureConfig(stream=StreamConfig(uri="carrier-pigeon://x/y"))},
        "capture stream: carrier-pigeon",
    ),
    "no token": (lambda c: {"token_dir": str(c)}, "bearer token .* cannot be read"),
    "no CA": (lambda c: {"ca_dir": str(c)}, "CA certificate .* cannot be read"),
    "no model file": (lambda c: {"skew": skew(c / "none.joblib")}, "probes.offlineSkew: .*none.joblib"),
    "too many": (lambda c: {"load": LoadConfig(requests_per_second=100000, duration_seconds=3600)}, "load: "),
    "unwritable report": (lambda c: {"report_uri": str(c / "bad.parquet")}, "report.uri: .*would be Passed"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_tested_is_an_error_in_plain_words(served, tested, tmp_path, case):
    (tmp_path / "bad.parquet").write_text("no parquet at all")
    change, message = ERRORS[case]
    fields = change(tmp_path)
    url = fields.pop("url", None) or served().url
    code, status, printed = tested(url, **fields)
    assert (code, status.verdict) == (2, "Error")
    assert re.search(message, status.message), status.message
    assert status.message in printed


def test_a_model_that_is_not_ready_is_an_error_with_the_servers_reason(served, tested):
    code, status, _ = tested(served(ready=False).url)
    assert code == 2
    assert "not ready: model iris could not be loaded: DigestMismatch" in status.message


def test_when_nothing_is_answered_it_depends_on_what_was_said_of_errors(served, tested):
    broken = served(status=500)
    code, status, _ = tested(broken.url, expect=[ExpectConfig(name="accuracy", min=0.9)])
    assert code == 2
    assert "none of 40 requests was answered: 40 times 5xx (as the test wants it)" in status.message
    code, status, _ = tested(broken.url, expect=[ExpectConfig(name="errors", max=0)])
    assert code == 1
    assert metrics(status)["errors_5xx"].value == 40


def test_a_bearer_token_is_sent(served, tested, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    oip = served(token="s3cret")
    assert tested(oip.url, token_dir=str(tmp_path))[0] == 0
    code, status, _ = tested(oip.url)
    assert code == 2
    assert "refuses the test's credentials (HTTP 401)" in status.message
