"""The two other ways to predict: from a topic to a topic, and over a data set."""

import json
from datetime import datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from cases import Case
from stage import STATE, check, get, run, say

RECORDS = 500


def from_topic(case: Case) -> None:
    """Records of a topic come out of another one with their predictions; what is none is kept apart."""
    say("Predict from a topic to a topic")
    traffic = pq.read_table(STATE / "objects/data" / case.bucket_folder / "traffic.parquet")
    records = [{"record": number, **row} for number, row in enumerate(traffic.slice(0, RECORDS).to_pylist())]
    rows = [{name: row[name] for name in traffic.column_names} for row in records]
    file = STATE / "records.ndjson"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "this is no record\n")
    run("moorage", "topic", "produce", case.topic("in"), "-f", str(file))
    words = ("--from-beginning", "--timeout", "30")
    out = run(
        *("moorage", "topic", "consume", case.topic("out"), "--max-messages", str(RECORDS), *words),
        shown=False,
    )
    predicted = [json.loads(line) for line in out.splitlines()]
    print(json.dumps(predicted[0]), flush=True)
    check(
        len(predicted) == RECORDS and all("prediction" in one for one in predicted),
        f"{RECORDS} records, {RECORDS} predictions",
    )
    dead = run(*("moorage", "topic", "consume", case.topic("dead"), "--max-messages", "1", *words))
    check("this is no record" in dead, "what is no record is in the dead-letter topic, as it came")


def over_a_data_set(case: Case, manifest: Path) -> None:
    """A million rows, by two workers, with their predictions in Parquet."""
    say("Predict over a data set")
    run("moorage", "apply", "-f", str(manifest))
    run("moorage", "wait", "--for=condition=Ready", f"bpred/{case.batch}", "--timeout=120s")
    run("moorage", "get", "bpred", "-o", "wide")
    status = get("bpred", case.batch)["status"]
    check(status["rowsDone"] == status["rowsTotal"] == 1_000_000, "1,000,000 of 1,000,000 rows are done")
    seconds = (_time(status["finishedAt"]) - _time(status["startedAt"])).total_seconds()
    print(f"{1_000_000 / max(seconds, 1):,.0f} rows/s, start of the workers included", flush=True)
    table = ds.dataset(status["outputUri"], format="parquet").to_table()
    check(
        len(table) == 1_000_000 and pc.count_distinct(table["id"]).as_py() == 1_000_000,
        "each row has one prediction",
    )
    print(table.slice(0, 3).to_pandas().to_string(index=False), flush=True)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
