"""Watch: ordinary traffic, then shifted traffic, then labels that turn bad; and the history read back."""

import http.client
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from cases import Case
from numpy.typing import NDArray
from stage import STATE, DemoError, check, condition, get, run, say, until

WINDOW = 200
"""Rows, as the manifests have it."""
ROWS_PER_REQUEST = 20
BARS = 12


def walk(case: Case, url: str, manifest: Path) -> None:
    """Apply the monitor, then send what it has to judge."""
    say("Watch the live endpoint for drift")
    run("moorage", "apply", "-f", str(manifest))
    run("moorage", "wait", "--for=condition=Ready", f"drift/{case.monitor}", "--timeout=60s")

    data = STATE / "objects/data" / case.bucket_folder
    reference, traffic = pq.read_table(data / "reference.parquet"), pq.read_table(data / "traffic.parquet")
    features = traffic.column_names
    rows = np.column_stack([traffic[name].to_numpy() for name in features])
    deviation = {name: float(np.std(reference[name].to_numpy())) for name in features}

    say(f"Ordinary traffic: {len(rows):,} rows, {len(rows) // WINDOW} windows of {WINDOW}")
    answers = _send(case, url, rows, "ordinary")
    windows = len(rows) // WINDOW
    until(lambda: _judged(case) >= windows, f"{windows} windows are judged", 90)
    run("moorage", "wait", "--for=condition=DataDrift=False", f"drift/{case.monitor}", "--timeout=60s")
    run("moorage", "get", "drift", "-o", "wide")
    seen = get("drift", case.monitor)
    check(windows >= 10 and seen["status"].get("drift") == "None", f"no drift in {windows} windows")
    check(condition(seen, "DataDrift").get("status") == "False", "DataDrift is False")

    say(f"Traffic with {', '.join(case.shifted)} shifted by {case.shift:g} standard deviations")
    moved = rows[: 3 * WINDOW].copy()
    for name in case.shifted:
        moved[:, features.index(name)] += case.shift * deviation[name]
    _send(case, url, moved, "shifted")
    run("moorage", "wait", "--for=condition=DataDrift", f"drift/{case.monitor}", "--timeout=60s")
    until(lambda: _judged(case) >= windows + 3, "three more windows are judged")
    run("moorage", "describe", f"drift/{case.monitor}")
    found = _detected(case)
    check(found == set(case.shifted), f"detected within three windows: exactly {', '.join(sorted(found))}")
    for name in case.shifted:
        _histogram(name, reference[name].to_numpy(), moved[:, features.index(name)])

    _labels(case, answers)
    _history(case, len(rows) + len(moved))


def _send(case: Case, url: str, rows: NDArray[np.float64], name: str) -> dict[str, Any]:
    """Send rows as Open Inference requests with ids; the answers by REQUEST_ID/ROW."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    answers = {}
    started = time.perf_counter()
    for number, at in enumerate(range(0, len(rows), ROWS_PER_REQUEST)):
        part = rows[at : at + ROWS_PER_REQUEST]
        tensor = {
            "name": "input",
            "shape": list(part.shape),
            "datatype": "FP64",
            "data": part.ravel().tolist(),
        }
        identity = f"{name}-{number}"
        connection.request(
            "POST", f"/v2/models/{case.model}/infer", json.dumps({"id": identity, "inputs": [tensor]})
        )
        reply = json.loads(connection.getresponse().read())
        for row, answer in enumerate(reply["outputs"][0]["data"]):
            answers[f"{identity}/{row}"] = answer
    connection.close()
    seconds = time.perf_counter() - started
    print(f"{len(rows):,} rows in requests of {ROWS_PER_REQUEST}, {seconds:.1f} s", flush=True)
    return answers


def _metrics(case: Case) -> dict[str, float]:
    """The worker's /metrics: name with labels to value."""
    address = _management(case)
    if address is None:
        return {}
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def _management(case: Case) -> str | None:
    pods = get("pods").get("items", [])
    for pod in pods:
        if pod["metadata"]["name"].startswith(f"{case.monitor}-drift-"):
            address = pod["metadata"].get("annotations", {}).get("moorage.dev/local-management")
            if address:
                return str(address)
    return None


def _judged(case: Case) -> int:
    return int(sum(v for name, v in _metrics(case).items() if name.startswith("moorage_drift_windows_total")))


def _windows(case: Case) -> Any:
    return ds.dataset(STATE / "objects/drift" / case.monitor / "windows", format="parquet").to_table()


def _detected(case: Case) -> set[str]:
    listed = get("drift", case.monitor)["status"].get("features", [])
    return {one["name"] for one in listed if one["state"] == "Detected" and one.get("role") != "prediction"}


def _histogram(name: str, reference: NDArray[np.float64], current: NDArray[np.float64]) -> None:
    """Shares of the reference and of the current rows, bar beside bar."""
    low, high = min(reference.min(), current.min()), max(reference.max(), current.max())
    edges = np.linspace(low, high, BARS + 1)
    shares = [np.histogram(values, edges)[0] / len(values) for values in (reference, current)]
    print(f"\n{name:>24}  {'reference':<26}current", flush=True)
    for at in range(BARS):
        bars = [f"{'█' * round(40 * share[at]):<16}{share[at]:6.1%}" for share in shares]
        print(f"{edges[at]:>11.2f} …{edges[at + 1]:>10.2f}  {bars[0]}    {bars[1]}", flush=True)


def _labels(case: Case, answers: dict[str, Any]) -> None:
    say("True answers come in: first right ones, then many wrong ones")
    keys = list(answers)
    draw = np.random.default_rng(5).random(len(keys))
    half = len(keys) // 2
    others = sorted({*answers.values()}, key=str)
    file = STATE / "labels.ndjson"
    with file.open("w") as lines:
        for at, key in enumerate(keys):
            wrong = draw[at] < (0.03 if at < half else 0.5)
            true = next(other for other in others if other != answers[key]) if wrong else answers[key]
            lines.write(json.dumps({"id": key, "label": true}) + "\n")
    run("moorage", "topic", "produce", case.topic("labels"), "-f", str(file))
    run("moorage", "wait", "--for=condition=ConceptDrift", f"drift/{case.monitor}", "--timeout=60s")
    found = condition(get("drift", case.monitor), "ConceptDrift")
    check(found["reason"] == "DriftDetected", f"concept drift: {found['message']}")


def _history(case: Case, sent: int) -> None:
    say("Read the history back from Parquet")
    folder = STATE / "objects/drift" / case.monitor / "events"

    def rows() -> int:
        if not folder.exists():
            return 0
        table = ds.dataset(folder, format="parquet").to_table(columns=["request_id"])
        ids = table["request_id"].to_pylist()
        return sum(identity.startswith(("ordinary-", "shifted-")) for identity in ids)

    until(lambda: rows() >= sent, f"{sent:,} rows are in Parquet", 60)
    check(rows() == sent, f"{sent:,} rows of traffic are in Parquet, none missing, none twice")
    table = _windows(case)
    shown = table.select(["partition", "index", "end", "rows", "name", "state", "p_value", "effect", "psi"])
    print(shown.slice(max(0, len(table) - 5)).to_pandas().to_string(index=False), flush=True)
    if not len(table):
        raise DemoError("no window is in Parquet")
