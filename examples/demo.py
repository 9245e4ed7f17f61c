"""The main job of Moorage, shown and checked on one machine: deploy, predict, test live, capture, break, survive.

Every step is a command that a person could type; each is checked here, and the first that is not so ends the
demo with exit code 1.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
STATE = Path(".moorage/demo")
BOLD, GREEN, RED, DIM, PLAIN = (
    ("\033[1m", "\033[32m", "\033[31m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("",) * 5
)


class DemoError(Exception):
    """A step of the demo did not do what it shows."""


@dataclass(frozen=True)
class Example:
    """What differs between the examples: names, one row, and the answer to it."""

    folder: str
    serving: str
    model: str
    test: str
    row: list[float]
    answers: tuple[Any, ...]
    uri: str

    @property
    def topic(self) -> str:
        """The topic that its manifest captures to."""
        return f"{self.serving}.capture"

    @property
    def broken_uri(self) -> str:
        """The address of the broken model: the next version of the same folder."""
        return f"{self.uri}-broken"


EXAMPLES = {
    "iris": Example(
        "iris", "iris", "iris_dataset_v1", "iris-live", [5.1, 3.5, 1.4, 0.2], (0,), "s3://models/iris/v3"
    ),
    "breast_cancer": Example(
        "breast_cancer",
        "breast-cancer",
        "breast_cancer",
        "breast-cancer-live",
        [
            *(14.0, 19.0, 92.0, 655.0, 0.1, 0.1, 0.09, 0.05, 0.18, 0.06),
            *(0.4, 1.2, 2.9, 40.0, 0.007, 0.025, 0.03, 0.01, 0.02, 0.004),
            *(16.0, 25.7, 107.0, 880.0, 0.13, 0.25, 0.27, 0.11, 0.29, 0.08),
        ],
        ("benign", "malignant"),
        "s3://models/breast-cancer/v1",
    ),
}


def say(title: str) -> None:
    """Announce a step."""
    print(f"\n{BOLD}── {title}{PLAIN}", flush=True)


def check(holds: bool, what: str) -> None:
    """Show that a claim holds, or end the demo."""
    if not holds:
        raise DemoError(what)
    print(f"{GREEN}✓{PLAIN} {what}", flush=True)


def run(*words: str, shown: bool = True, code: int = 0) -> str:
    """Run a command as a person would, show it with its output, and return that."""
    print(f"{DIM}${PLAIN} {shlex.join(words)}", flush=True)
    program = str(BIN / words[0]) if (BIN / words[0]).exists() else words[0]
    done = subprocess.run([program, *words[1:]], capture_output=True, text=True, check=False)
    if shown or done.returncode != code:
        print(done.stdout.rstrip() + done.stderr.rstrip(), flush=True)
    if done.returncode != code:
        raise DemoError(f"{words[0]} {words[1]} ended with exit code {done.returncode}, not {code}")
    return done.stdout


def curl(url: str, body: str) -> str:
    """POST as the curl line shown does; by Python itself where the machine has no curl."""
    words = ("curl", "-s", url, "-d", body)
    if shutil.which("curl"):
        return run(*words)
    print(f"{DIM}${PLAIN} {shlex.join(words)}", flush=True)
    with urllib.request.urlopen(url, body.encode(), timeout=30) as reply:
        text: str = reply.read().decode()
    print(text, flush=True)
    return text


def get(kind: str, name: str) -> dict[str, Any]:
    """An object as `moorage get -o json` shows it, without showing it."""
    command = [str(BIN / "moorage"), "get", kind, name, "-o", "json"]
    shown: dict[str, Any] = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
    )
    return shown


def exists(name: str) -> bool:
    """Whether `moorage get` finds an object."""
    return subprocess.run([BIN / "moorage", "get", name], capture_output=True, check=False).returncode == 0


def condition(resource: dict[str, Any], kind: str) -> dict[str, Any]:
    """One of an object's conditions; empty where it has none of that type."""
    return next((c for c in resource.get("status", {}).get("conditions", []) if c["type"] == kind), {})


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait for something to become so."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise DemoError(f"within {seconds:.0f} s it did not come about that {what}")
        time.sleep(0.1)


@contextmanager
def moorage_up(manifests: Path, kafka: str | None) -> Iterator[None]:
    """`moorage up` in the background, ended with the demo."""
    words = ["moorage", "up", "-f", str(manifests), *(["--kafka", kafka] if kafka else [])]
    print(f"{DIM}${PLAIN} {shlex.join(words)} &", flush=True)
    log = STATE / "up.log"
    with (
        log.open("w") as output,
        subprocess.Popen([BIN / words[0], *words[1:]], stdout=output, stderr=output) as up,
    ):
        try:
            yield
        except DemoError:
            print(f"{DIM}{log}:{PLAIN}\n{log.read_text()[-3000:]}", flush=True)
            raise
        finally:
            up.terminate()
            up.wait(60)


def create_topic(kafka: str, name: str) -> None:
    """Make sure that the broker has the topic, as a person would with Kafka's own tools."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=kafka, bootstrap_timeout_ms=5_000)
        if name not in admin.list_topics():
            admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1)])
        admin.close()
    except KafkaError as error:
        raise DemoError(f"Kafka at {kafka}: {error}") from None
    check(True, f"Kafka at {kafka} has the topic {name}")


def predict(example: Example, url: str) -> None:
    """The same row in three dialects, each by a line that a reader can repeat."""
    row = json.dumps(example.row)
    shape = [1, len(example.row)]
    tensor = {"name": "input", "shape": shape, "datatype": "FP64", "data": example.row}
    dialects: list[tuple[str, str, str, Callable[[Any], Any]]] = [
        (
            "KServe V1",
            f"/v1/models/{example.model}:predict",
            f'{{"instances": [{row}]}}',
            lambda r: r["predictions"][0],
        ),
        (
            "Open Inference Protocol V2",
            f"/v2/models/{example.model}/infer",
            json.dumps({"inputs": [tensor]}),
            lambda r: r["outputs"][0]["data"][0],
        ),
        (
            "MLRun V2",
            f"/v2/models/{example.model}/infer",
            f'{{"inputs": [{row}]}}',
            lambda r: r["outputs"][0],
        ),
    ]
    for name, path, body, answer in dialects:
        reply = curl(f"{url}{path}", body)
        check(answer(json.loads(reply)) in example.answers, f"{name} answers {answer(json.loads(reply))!r}")


def break_model(example: Example, manifests: Path) -> None:
    """Publish a truncated model under a new address and point the manifest at it."""
    bucket_key = example.uri.removeprefix("s3://")
    good = STATE / "objects" / bucket_key / "model.joblib"
    broken = STATE / "objects" / f"{bucket_key}-broken" / "model.joblib"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(good.read_bytes()[:300])
    manifest = manifests / "serving.yaml"
    text = manifest.read_text()
    print(f"{DIM}${PLAIN} sed -i 's|{example.uri}|{example.broken_uri}|' {manifest}", flush=True)
    manifest.write_text(text.replace(example.uri, example.broken_uri))


def demo(example: Example, kafka: str | None) -> None:
    """All steps in order."""
    serving, test = f"mserve/{example.serving}", f"mtest/{example.test}"
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    os.environ["MOORAGE_STATE"] = str(STATE)
    manifests = STATE / "manifests"
    shutil.copytree(HERE / example.folder / "manifests", manifests)

    say("Train a model and put it into the object store (here a folder)")
    run("python", str(HERE / example.folder / "train.py"), "--to", str(STATE / "objects"))

    say("Deploy it from YAML")
    if kafka:
        create_topic(kafka, example.topic)
    with moorage_up(manifests, kafka):
        until(lambda: exists(serving), f"{serving} is there")
        run("moorage", "wait", "--for=condition=Ready", serving, "--timeout=60s")
        run("moorage", "get", "mserve,mtest", "-o", "wide")
        url = get("mserve", example.serving)["status"]["url"]
        check(url.startswith("http://127.0.0.1:"), f"{example.serving} answers at {url}")

        say("Predict, in three dialects on one port")
        predict(example, url)

        say("Test the live endpoint with held-out records")
        run("moorage", "wait", "--for=jsonpath={.status.verdict}", test, "--timeout=90s")
        run("moorage", "logs", test)
        tested = get("mtest", example.test)
        check(
            tested["status"]["verdict"] == "Passed",
            f"{example.test} passed; report: {tested['status']['reportUri']}",
        )

        say("See what was captured")
        event = json.loads(run("moorage", "events", example.serving, "--tail", "1", "-o", "json"))
        check(
            event["model"] == example.model,
            f"the stream holds requests to {example.model} with inputs and outputs",
        )

        say("Break the model: the old one keeps serving, and the status says why")
        break_model(example, manifests)
        until(
            lambda: condition(get("mserve", example.serving), "Ready").get("reason") == "ModelLoadFailed",
            "the status says ModelLoadFailed",
        )
        run("moorage", "describe", serving)
        broken = get("mserve", example.serving)
        check(
            condition(broken, "Ready")["status"] == "False",
            f"Ready is False: {condition(broken, 'Ready')['message']}",
        )
        check(condition(broken, "Available")["status"] == "True", "Available is True")
        reply = curl(f"{url}/v1/models/{example.model}:predict", json.dumps({"instances": [example.row]}))
        check(json.loads(reply)["predictions"][0] in example.answers, "the old model still answers")

        say("Shut down")
        run("moorage", "down")
    print(f"\n{GREEN}{BOLD}All of it worked.{PLAIN} What it left is in {STATE}.")


def main() -> int:
    """Run the demo; 1 where a step was not so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--example", choices=sorted(EXAMPLES), default="iris")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="capture to a real broker instead of a folder")
    arguments = parser.parse_args()
    try:
        demo(EXAMPLES[arguments.example], arguments.kafka)
    except DemoError as failure:
        print(f"{RED}✗ {failure}{PLAIN}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
