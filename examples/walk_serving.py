"""Serve and test: predictions in three dialects, a live test, captured events, a broken model survived."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import Case
from stage import DIM, PLAIN, STATE, check, condition, curl, get, run, say, until


def walk(case: Case, url: str) -> None:
    """Predict, test, look at what was captured."""
    test = f"mtest/{case.test}"
    say("Predict, in three dialects on one port")
    _dialects(case, url)

    say("Test the live endpoint with held-out records")
    run("moorage", "wait", "--for=jsonpath={.status.verdict}", test, "--timeout=90s")
    run("moorage", "logs", test)
    tested = get("mtest", case.test)
    check(
        tested["status"]["verdict"] == "Passed",
        f"{case.test} passed; report: {tested['status']['reportUri']}",
    )

    say("See what was captured")
    event = json.loads(run("moorage", "events", case.serving, "--tail", "1", "-o", "json"))
    check(
        event["model"] == case.model,
        f"the stream holds requests to {case.model} with inputs and outputs",
    )


def survive(case: Case, url: str, manifests: Path) -> None:
    """A broken model is told and does not take the endpoint down; the manifest put right, all is well again."""
    serving = f"mserve/{case.serving}"
    manifest = manifests / "serving.yaml"
    good = manifest.read_text()
    say("Break the model: the old one keeps serving, and the status says why")
    _break(case, manifest)
    until(
        lambda: condition(get("mserve", case.serving), "Ready").get("reason") == "ModelLoadFailed",
        "the status says ModelLoadFailed",
    )
    run("moorage", "describe", serving)
    broken = get("mserve", case.serving)
    check(
        condition(broken, "Ready")["status"] == "False",
        f"Ready is False: {condition(broken, 'Ready')['message']}",
    )
    check(condition(broken, "Available")["status"] == "True", "Available is True")
    reply = curl(f"{url}/v1/models/{case.model}:predict", json.dumps({"instances": [case.row]}))
    check(json.loads(reply)["predictions"][0] in case.answers, "the old model still answers")
    print(f"{DIM}${PLAIN} git checkout {manifest}", flush=True)
    manifest.write_text(good)
    run("moorage", "wait", "--for=condition=Ready", serving, "--timeout=60s")


def _dialects(case: Case, url: str) -> None:
    """The same row in three dialects, each by a line that a reader can repeat."""
    row = json.dumps(case.row)
    shape = [1, len(case.row)]
    tensor = {"name": "input", "shape": shape, "datatype": "FP64", "data": case.row}
    dialects: list[tuple[str, str, str, Callable[[Any], Any]]] = [
        (
            "KServe V1",
            f"/v1/models/{case.model}:predict",
            f'{{"instances": [{row}]}}',
            lambda r: r["predictions"][0],
        ),
        (
            "Open Inference Protocol V2",
            f"/v2/models/{case.model}/infer",
            json.dumps({"inputs": [tensor]}),
            lambda r: r["outputs"][0]["data"][0],
        ),
        (
            "MLRun V2",
            f"/v2/models/{case.model}/infer",
            f'{{"inputs": [{row}]}}',
            lambda r: r["outputs"][0],
        ),
    ]
    for name, path, body, answer in dialects:
        reply = curl(f"{url}{path}", body)
        check(answer(json.loads(reply)) in case.answers, f"{name} answers {answer(json.loads(reply))!r}")


def _break(case: Case, manifest: Path) -> None:
    """Publish a truncated model under a new address and point the manifest at it."""
    bucket_key = case.uri.removeprefix("s3://")
    good = STATE / "objects" / bucket_key / "model.joblib"
    broken = STATE / "objects" / f"{bucket_key}-broken" / "model.joblib"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(good.read_bytes()[:300])
    text = manifest.read_text()
    print(f"{DIM}${PLAIN} sed -i 's|{case.uri}|{case.broken_uri}|' {manifest}", flush=True)
    manifest.write_text(text.replace(case.uri, case.broken_uri))
