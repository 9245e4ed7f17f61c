"""A whole run in a folder: what is written, what is skipped, what is refused."""

import gzip
import hashlib
import json
import threading

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from moorage_runtime.batch_predict.fault import Stopped
from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.state import State
from moorage_runtime.batch_predict.worker import Worker
from moorage_runtime.config import BatchPredictConfig

from .conftest import FEATURES, SMALL


def matrix(table):
    return np.stack([table[name].to_numpy() for name in FEATURES], axis=1)


def test_predictions_keep_order_columns_and_provenance(batch, flowers, estimator):
    batch.put("a.parquet", flowers.slice(0, 100), row_group_size=30)
    batch.put("b.parquet", flowers.slice(100), row_group_size=30)
    (batch.folder / "in/_SUCCESS").write_bytes(b"")
    code, status = batch.run()
    found = batch.table(status.run)
    assert (code, status.state, status.rows_done, status.rows_total) == (0, "Finished", 150, 150)
    assert found.column_names == ["id", "predict", "model", "model_version", "error"]
    assert found["id"].to_pylist() == list(range(150))
    assert found["predict"].to_pylist() == estimator.predict(matrix(flowers)).tolist()
    assert set(found["model"].to_pylist()) == {"iris"}
    assert set(found["model_version"].to_pylist()) == {"v3"}
    assert found["error"].null_count == 150
    assert status.fragments_total == status.fragments_done == len(batch.files(status.run)) == 5


def test_the_manifest_counts_and_sums_every_part(batch, flowers):
    batch.put("a.parquet", flowers, row_group_size=40)
    _, status = batch.run()
    own = batch.folder / "out/_moorage"
    manifest = json.loads((own / status.run / "manifest.json").read_bytes())
    assert (manifest["rows"], manifest["rejected"]) == (150, 0)
    assert manifest["model"]["digest"] == status.model_digest
    for part, file in zip(manifest["parts"], batch.files(status.run), strict=True):
        assert part["part"] == file.name
        assert part["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert part["bytes"] == file.stat().st_size
    latest = json.loads((own / "latest.json").read_bytes())
    assert batch.folder / "out" / latest["folder"] == batch.files(status.run)[0].parent
    assert (batch.folder / "out" / latest["manifest"]).is_file()


def test_what_is_done_is_skipped_and_what_is_missing_made_again_with_the_same_bytes(batch, flowers):
    batch.put("a.parquet", flowers, row_group_size=30)
    _, status = batch.run()
    files = batch.files(status.run)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in files}
    files[1].unlink()
    (batch.folder / f"out/_moorage/{status.run}/parts/{files[1].stem}.json").unlink()
    (batch.folder / f"out/_moorage/{status.run}/parts/{files[2].stem}.json").unlink()
    manifest = batch.folder / f"out/_moorage/{status.run}/manifest.json"
    said = manifest.read_bytes()
    manifest.unlink()
    code, again = batch.run()
    assert (code, again.run, again.rows_done) == (0, status.run, 150)
    after = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in batch.files(status.run)}
    assert {name for name in before if before[name][1] != after[name][1]} == {files[1].name}
    assert {name: data for name, (data, _) in before.items()} == {
        name: data for name, (data, _) in after.items()
    }
    assert manifest.read_bytes() == said


@pytest.mark.parametrize("change", ["input", "revision", "model"])
def test_another_input_spec_or_model_is_another_run(batch, flowers, change, estimator, tmp_path):
    batch.put("a.parquet", flowers)
    _, before = batch.run()
    if change == "input":
        batch.put("a.parquet", flowers.slice(0, 70))
        code, after = batch.run()
    elif change == "revision":
        code, after = batch.run(revision="r2")
    else:
        import joblib

        other = tmp_path / "other.joblib"
        joblib.dump(type(estimator)(C=0.5, max_iter=500).fit(matrix(flowers), np.arange(150) % 2), other)
        code, after = batch.run(model={**batch.document["model"], "uri": str(other)})
    assert code == 0
    assert after.run != before.run
    assert batch.table(before.run).num_rows == 150
    assert batch.table(after.run).num_rows == (70 if change == "input" else 150)
    latest = json.loads((batch.folder / "out/_moorage/latest.json").read_bytes())
    assert latest["run"] == after.run


def test_workers_share_the_fragments_and_the_last_writes_the_manifest(batch, flowers):
    batch.put("a.parquet", flowers, row_group_size=30)
    code, first = batch.run(0, parallelism=2)
    assert (code, first.state, first.fragments_done, first.fragments_total) == (0, "Finished", 3, 5)
    manifest = batch.folder / f"out/_moorage/{first.run}/manifest.json"
    assert not manifest.exists()
    code, second = batch.run(1, parallelism=2)
    assert (code, second.run, second.fragments_done) == (0, first.run, 2)
    assert manifest.exists()
    alone = batch.table(first.run)
    assert alone["id"].to_pylist() == list(range(150))
    code, wider = batch.run(0, parallelism=3)
    assert (code, wider.run) == (0, first.run)


def test_a_worker_whose_plan_never_comes_says_so(batch, flowers):
    batch.put("a.parquet", flowers)
    code, status = batch.run(1, Limits(plan_wait_seconds=0), parallelism=2)
    assert code == 1
    assert "worker 0 has planned no run" in status.message


def written(batch, flowers, kind):
    folder = batch.folder / "in"
    if kind == "parquet":
        batch.put("f.parquet", flowers)
    elif kind.startswith("csv"):
        csv.write_csv(flowers, folder / "f.csv")
    else:
        lines = "\n".join(json.dumps(row) for row in flowers.to_pylist())
        (folder / "f.ndjson").write_text(lines)
    if kind.endswith("gz"):
        (plain,) = folder.iterdir()
        (folder / f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()


@pytest.mark.parametrize("kind", ["csv", "ndjson", "csv.gz", "ndjson.gz"])
def test_every_format_gives_the_same_predictions(batch, flowers, kind, estimator):
    written(batch, flowers, kind)
    code, status = batch.run()
    found = batch.table(status.run)
    assert code == 0
    assert found.schema.field("id").type == pa.int64()
    assert found["id"].to_pylist() == list(range(150))
    assert found["predict"].to_pylist() == estimator.predict(matrix(flowers)).tolist()
    assert (len(batch.files(status.run)) > 1) == (not kind.endswith("gz"))
    assert status.rows_total == pytest.approx(150, abs=5)


def test_rows_that_cannot_be_predicted_are_counted_and_keep_their_place(batch, flowers, estimator):
    values = flowers["petal_width"].to_pylist()
    values[7] = values[100] = None
    table = flowers.set_column(4, "petal_width", pa.array(values))
    batch.put("a.parquet", table)
    code, status = batch.run()
    found = batch.table(status.run)
    assert (code, status.rows_rejected, status.state) == (0, 2, "Finished")
    assert "2 of them refused" in status.message
    wanted = estimator.predict(matrix(flowers)).tolist()
    wanted[7] = wanted[100] = None
    assert found["predict"].to_pylist() == wanted
    assert [row for row, text in enumerate(found["error"].to_pylist()) if text] == [7, 100]
    assert found["error"][7].as_py() == "feature 'petal_width': the model does not accept NaN or null"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"input": {"columns": {"petal_width": "pw"}}},
            "no column 'pw', which feature 'petal_width' needs; it has: id",
        ),
        ({"input": {"columns": {"width": "pw"}}}, "input.columns: the model has no feature 'width'"),
        ({"keep": ["ident"]}, "no column 'ident', which output.keep names"),
        ({"keep": ["model"]}, "no column 'model'"),
        ({"input": {"uri": "none/*.parquet"}}, "input.uri: none/*.parquet: there is no such file"),
        ({"input": {"uri": "https://127.0.0.1:1/a.csv"}}, "http"),
        ({"model": {"uri": "none.joblib"}}, "none.joblib"),
    ],
)
def test_what_cannot_be_done_at_all_is_said(batch, flowers, change, message, capsys):
    batch.put("a.parquet", flowers)
    merged = {
        name: {**batch.document[name], **value} if isinstance(value, dict) else value
        for name, value in change.items()
    }
    code, status = batch.run(**merged)
    assert (code, status.state) == (1, "Failed")
    assert message in status.message
    assert message in capsys.readouterr().err
    assert not list(batch.folder.glob("out/*/part-*"))


def test_faults_of_a_file_name_it(batch, flowers):
    batch.put("a.parquet", flowers)
    batch.put("b.parquet", flowers.set_column(2, "sepal_width", pa.array(["x"] * 150)))
    assert "b.parquet: column 'sepal_width' is string" in batch.run()[1].message
    batch.put("b.parquet", flowers.drop_columns(["id"]))
    assert "b.parquet: there is no column 'id', which output.keep names" in batch.run()[1].message
    (batch.folder / "in/b.parquet").write_bytes(b"PAR1 no PAR1")
    assert "b.parquet: cannot be read as parquet" in batch.run()[1].message
    (batch.folder / "in/b.parquet").unlink()
    csv.write_csv(flowers, batch.folder / "in/c.csv")
    assert "holds csv and parquet files" in batch.run()[1].message


def test_a_kept_column_may_not_have_the_name_of_an_output(batch, flowers):
    batch.put("a.parquet", flowers.append_column("predict", pa.array(range(150))))
    code, status = batch.run(keep=["id", "predict"])
    assert code == 1
    assert (
        "output.keep: column 'predict' has the name of a column that the prediction writes" in status.message
    )


def test_columns_are_mapped_and_an_empty_data_set_is_a_finished_run(batch, flowers, estimator):
    batch.put("a.parquet", flowers.rename_columns(["id", "a", "b", "c", "petal_width"]))
    mapping = dict(zip(FEATURES[:3], "abc", strict=True))
    code, status = batch.run(input={"uri": str(batch.folder / "in"), "columns": mapping})
    assert code == 0
    assert batch.table(status.run)["predict"].to_pylist() == estimator.predict(matrix(flowers)).tolist()
    batch.put("a.parquet", flowers.slice(0, 0))
    code, status = batch.run()
    assert (code, status.rows_done, status.fragments_total) == (0, 0, 0)


def test_a_file_that_changes_under_the_run_ends_it(batch, flowers):
    batch.put("a.parquet", flowers)
    batch.put("b.parquet", flowers)
    config = BatchPredictConfig.model_validate(batch.document)
    worker = Worker(config, 0, State(config, 0), threading.Event(), SMALL)
    agree = worker._agree

    def meanwhile(loaded):
        agreed = agree(loaded)
        batch.put("b.parquet", flowers.slice(0, 10))
        return agreed

    worker._agree = meanwhile
    with pytest.raises(Exception, match=r"b\.parquet: changed since the run was planned"):
        worker.run()


def test_a_stopped_worker_leaves_whole_files_only(batch, flowers):
    batch.put("a.parquet", flowers, row_group_size=30)
    config = BatchPredictConfig.model_validate(batch.document)
    stop = threading.Event()
    state = State(config, 0)
    add = state.add

    def stopping(**counts):
        add(**counts)
        if state.status().rows_done >= 70:
            stop.set()

    state.add = stopping
    with pytest.raises(Stopped):
        Worker(config, 0, state, stop, SMALL).run()
    (folder,) = batch.folder.glob("out/[!_]*")
    assert sorted(file.name for file in folder.iterdir()) == ["part-00000.parquet", "part-00001.parquet"]
    assert all(parquet.read_metadata(file).num_rows == 30 for file in folder.iterdir())
    code, status = batch.run()
    assert (code, batch.table(status.run)["id"].to_pylist()) == (0, list(range(150)))


def test_an_index_beyond_the_parallelism_is_refused(batch, flowers, capsys):
    batch.put("a.parquet", flowers)
    batch.monkeypatch.setenv("JOB_COMPLETION_INDEX", "3")
    from moorage_runtime.batch_predict.main import main

    assert main(BatchPredictConfig.model_validate(batch.document)) == 1
    assert "JOB_COMPLETION_INDEX=3: a number below 1 is needed" in capsys.readouterr().err


def test_the_last_words_fit_the_termination_log(batch):
    batch.document["outputUri"] = "o" * 3000
    config = BatchPredictConfig.model_validate(batch.document)
    state = State(config, 0)
    state.end("Failed", "é" * 5000)
    assert len(state.last_words()) <= 4096
    assert json.loads(state.last_words())["state"] == "Failed"
