"""The worker as a process over a directory stream: what a person sees of it."""

import json

import pytest
from confluent_kafka import Producer

from support.drift_worker import START, DriftWorker, Segment, message

WINDOW = 200


@pytest.fixture
def stream(tmp_path):
    return tmp_path / "stream"


def test_it_finds_a_shift_tells_it_and_keeps_the_history(tmp_path, stream, reference, lines):
    segment = Segment(stream, "aaaa0001")
    segment.write(message(number) for number in range(100))
    worker = DriftWorker(
        tmp_path / "worker",
        stream,
        reference,
        timeseries=[
            {"name": "tsdb", "protocol": "influx", "target": {"url": lines.url}, "database": "drift"}
        ],
        alerts=[{"name": "hook", "webhook": {"url": f"{lines.url}/hook"}}],
    )
    with worker.start():
        worker.wait_rows(1000)
        worker.wait(lambda: worker.status().get("drift") == "None", "drift None")
        segment.write(message(number, shift=1.5) for number in range(100, 200))
        worker.wait(lambda: worker.status()["drift"] == "Detected", "drift Detected")
        worker.wait_rows(2000)
        worker.wait_delivered()
        status = worker.status()
        assert status["ready"] is True
        assert status["data"] == {"state": "Detected", "message": "drift of features: petal_length"}
        assert status["features"][0]["name"] == "petal_length"
        assert len(status["features"]) == 5
        assert status["lastWindow"]["rows"] == WINDOW
        assert worker.metric("moorage_drift_state", aspect="data") == 2
        assert worker.metric("moorage_drift_windows_total") == 10
        assert worker.metric("moorage_drift_statistic", feature="petal_length", statistic="psi") > 0.2
        assert worker.metric("moorage_drift_effect", feature="petal_length", role="feature") > 0.1
        assert worker.metric("moorage_drift_feature_state", feature="petal_length") == 2
        assert worker.metric("moorage_drift_lag") == 0
        assert worker.get("/ready") == b'{"ready":true}'
        worker.wait(lambda: any(name.startswith("events") for name in worker.files()), "history")
        assert worker.stop() == 0
        said = worker.process.log.read_text().splitlines()
    assert (
        said[0]
        == f"ml/watch: watches iris on {stream}, windows of 200 rows, 1 partition; begins at the earliest"
    )
    assert said[1] == "ml/watch: data drift None: no drift of features"
    assert any(line.endswith("→ Detected: drift of features: petal_length") for line in said)
    assert len(said) < 10  # no line per window
    assert len(lines.alerts) >= 2
    assert lines.wrong is None
    assert {time for _, time in lines.lines} == {
        str((START + (number * 20 + 19) * 100_000 + 9) // 1000) for number in range(10)
    }


def test_what_cannot_be_used_is_counted_and_the_worker_goes_on(tmp_path, stream, reference):
    segment = Segment(stream, "aaaa0001")
    segment.write([b"no json", message(0, model="another"), b'{"schema": "moorage.capture/v9"}'])
    segment.write(message(number) for number in range(40))
    with DriftWorker(tmp_path / "worker", stream, reference).start() as worker:
        worker.wait_rows(400)
        assert worker.metric("moorage_drift_skipped_total", reason="foreign_model") == 1
        assert worker.metric("moorage_drift_skipped_total", reason="malformed") == 1
        assert worker.metric("moorage_drift_skipped_total", reason="unknown_schema") == 1
        assert worker.metric("moorage_drift_windows_total") == 2


def test_a_start_at_the_latest_is_kept_through_a_kill(tmp_path, stream, reference):
    segment = Segment(stream, "aaaa0001")
    segment.write(message(number) for number in range(30))
    worker = DriftWorker(tmp_path / "worker", stream, None, start="latest", reference={"uri": "nowhere.csv"})
    with worker.start():
        worker.wait(
            lambda: (
                worker.status().get("reason") == "ReferenceFailed"
                and (tmp_path / "worker/checkpoint/checkpoint.json").exists()
            ),
            "the first checkpoint and the missing reference's message",
        )
        assert "nowhere.csv" in worker.status()["error"]
        assert b"nowhere.csv" in worker.get("/ready")
        segment.write(message(number) for number in range(30, 50))
        worker.kill()
        worker.config["reference"] = {"uri": str(reference)}
        worker.start()
        worker.wait_rows(200)
        assert worker.metric("moorage_drift_rows_total") == 200


def test_the_first_rows_of_the_stream_may_be_the_reference(tmp_path, stream):
    segment = Segment(stream, "aaaa0001")
    segment.write(message(number) for number in range(50))
    worker = DriftWorker(
        tmp_path / "worker",
        stream,
        None,
        reference={"firstRows": 600},
        objectStore={"uri": str(tmp_path / "worker/history"), "rows": 500, "seconds": 3600},
    )
    with worker.start():
        worker.wait(
            lambda: "the first 600 rows" in worker.status().get("data", {}).get("message", ""),
            "what the worker waits for",
        )
        assert worker.status()["ready"] is True
        segment.write(message(number) for number in range(50, 100))
        worker.wait_rows(400)
        assert worker.metric("moorage_drift_windows_total") == 2
        worker.wait(lambda: len(worker.files()) >= 2, "history, the reference's rows with it")


def test_a_changed_window_begins_anew_and_says_so_a_changed_decision_does_not(tmp_path, stream, reference):
    segment = Segment(stream, "aaaa0001")
    segment.write(message(number) for number in range(30))
    with DriftWorker(tmp_path / "worker", stream, reference).start() as worker:
        worker.wait_rows(300)
        assert worker.stop() == 0
        worker.config["decision"] = {"minimumEffect": 0.2}
        worker.start()
        segment.write(message(number) for number in range(30, 40))
        worker.wait_rows(400)
        assert worker.metric("moorage_drift_windows_total") == 2
        assert worker.stop() == 0
        worker.config["window"] = {"rows": 100}
        worker.start()
        segment.write(message(number) for number in range(40, 50))
        worker.wait_rows(500)
        assert worker.metric("moorage_drift_windows_total") == 3
        assert "the window changed" in worker.status()["data"]["message"]


def test_of_two_workers_the_one_that_was_overtaken_ends(tmp_path, stream, reference):
    segment = Segment(stream, "aaaa0001")
    segment.write(message(number) for number in range(40))
    with DriftWorker(tmp_path / "old", stream, reference).start() as old:
        old.wait_rows(400)
        with DriftWorker(
            tmp_path / "new", stream, reference, checkpointUri=old.config["checkpointUri"]
        ).start() as new:
            new.wait_rows(400)
            segment.write(message(number) for number in range(40, 60))
            new.wait_rows(600)
            assert old.process.process.wait(60) == 1
            assert "another worker has written it" in old.process.tail()
            new.wait_rows(600)
            assert new.status()["ready"] is True


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stream": {"uri": "http://127.0.0.1/x"}}, "http://127.0.0.1/x"),
        ({"checkpointUri": "ftp://x/y"}, "ftp"),
        ({"window": {}}, "window"),
    ],
)
def test_a_config_that_can_never_work_ends_with_2(tmp_path, stream, reference, changes, told):
    worker = DriftWorker(tmp_path / "worker", stream, reference, **changes).start()
    assert worker.process.process.wait(60) == 2
    assert told in worker.process.tail()
    assert "Traceback" not in worker.process.tail()


def test_labels_that_turn_bad_are_found_also_by_a_worker_that_was_killed(tmp_path, stream, reference):
    segment, answers = Segment(stream, "aaaa0001"), Segment(tmp_path / "labels", "cccc0003")
    labels = {"stream": {"uri": str(tmp_path / "labels")}}
    detectors = [{"name": "ddm", "type": "DDM"}, {"name": "adwin", "type": "ADWIN"}]

    def write(numbers, *, wrong):
        for number in numbers:
            event = message(number)
            segment.write([event])
            predicted = json.loads(event)["predictions"]["predict"]
            answers.write(
                json.dumps({"id": f"r{number}-{row}/0", "label": 1 - one if wrong else one}).encode()
                for row, one in enumerate(predicted)
            )

    worker = DriftWorker(
        tmp_path / "worker", stream, reference, conceptDrift={"labels": labels, "detectors": detectors}
    )
    with worker.start():
        write(range(60), wrong=False)
        worker.wait(lambda: worker.status().get("concept", {}).get("state") == "None", "no concept drift")
        worker.kill()
        worker.start()
        write(range(60, 100), wrong=True)
        worker.wait(lambda: worker.status().get("concept", {}).get("state") == "Detected", "concept drift")
        assert worker.status()["drift"] == "Detected"
        assert worker.status()["concept"]["message"].startswith("drift of errors: ")
        assert worker.metric("moorage_drift_skipped_total", reason="label_unmatched") is None
        assert worker.metric("moorage_concept_error_rate") == 1
        assert worker.metric("moorage_concept_detector_state", detector="ddm") is not None


def test_a_broker_that_is_away_is_told_and_awaited(tmp_path, kafka_of_its_own, reference):
    broker = kafka_of_its_own
    topic = broker.create_topic("away")
    producer = Producer({"bootstrap.servers": broker.bootstrap})

    def write(numbers):
        for number in numbers:
            producer.produce(topic, message(number))
        assert producer.flush(60) == 0

    write(range(20))
    stream = f"kafka://{broker.bootstrap}/{topic}"
    with DriftWorker(tmp_path / "worker", stream, reference).start() as worker:
        worker.wait_rows(200)
        broker.stop()
        worker.wait(lambda: worker.status().get("reason") == "StreamFailed", "the broker's words")
        assert worker.status()["ready"] is False
        broker.start()
        write(range(20, 40))
        worker.wait_rows(400)
        worker.wait(lambda: worker.status()["ready"], "readiness")
        assert worker.metric("moorage_drift_windows_total") == 2
        assert worker.stop() == 0


def test_a_checkpoint_store_that_is_down_is_told_and_consuming_goes_on(tmp_path, stream, reference):
    segment = Segment(stream, "aaaa0001")
    segment.write(message(number) for number in range(20))
    with DriftWorker(tmp_path / "worker", stream, reference).start() as worker:
        worker.wait_rows(200)
        folder = tmp_path / "worker" / "checkpoint"
        away = folder.rename(tmp_path / "away")
        folder.write_text("in the way")
        segment.write(message(number) for number in range(20, 40))
        worker.wait_rows(400)
        worker.wait(lambda: worker.status().get("reason") == "CheckpointFailed", "the store's words")
        assert worker.status()["ready"] is True
        folder.unlink()
        away.rename(folder)
        worker.wait(lambda: "reason" not in worker.status(), "the store's return")
        assert "CheckpointFailed: works again" in worker.process.tail()
        worker.kill()
        worker.start()
        worker.wait_rows(400)
        assert worker.metric("moorage_drift_rows_total") == 400
