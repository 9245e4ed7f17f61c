"""The main job of Moorage, shown and checked on one machine: deploy, predict, test live, capture, break and survive,
watch for drift, predict from a stream and over a data set.

Every step is a command that a person could type; each is checked here, and the first that is not so ends the
demo with exit code 1.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import walk_drift
import walk_predict
import walk_serving
from cases import CASES, Case
from stage import (
    BIN,
    BOLD,
    DIM,
    GREEN,
    HERE,
    PLAIN,
    RED,
    STATE,
    DemoError,
    check,
    exists,
    get,
    run,
    say,
    until,
)


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


def create_topics(kafka: str, names: tuple[str, ...]) -> None:
    """Make sure that the broker has the topic, as a person would with Kafka's own tools."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewTopic
    from kafka.errors import KafkaError

    try:
        admin = KafkaAdminClient(bootstrap_servers=kafka, bootstrap_timeout_ms=5_000)
        missing = set(names) - set(admin.list_topics())
        admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=1) for name in missing])
        admin.close()
    except KafkaError as error:
        raise DemoError(f"Kafka at {kafka}: {error}") from None
    check(True, f"Kafka at {kafka} has the topics {', '.join(names)}")


def demo(case: Case, kafka: str | None) -> None:
    """All steps in order."""
    serving = f"mserve/{case.serving}"
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    os.environ["MOORAGE_STATE"] = str(STATE)
    written = HERE / case.folder / "manifests"
    manifests = STATE / "manifests"
    manifests.mkdir()
    for name in ("serving.yaml", "test.yaml"):
        shutil.copy(written / name, manifests)

    say("Train a model and put it into the object store (here a folder), with its reference data")
    run("python", str(HERE / case.folder / "train.py"), "--to", str(STATE / "objects"))

    say("Deploy it from YAML")
    if kafka:
        create_topics(kafka, case.topics)
    with moorage_up(manifests, kafka):
        until(lambda: exists(serving), f"{serving} is there")
        run("moorage", "wait", "--for=condition=Ready", serving, "--timeout=60s")
        run("moorage", "get", "mserve,mtest", "-o", "wide")
        url = get("mserve", case.serving)["status"]["url"]
        check(url.startswith("http://127.0.0.1:"), f"{case.serving} answers at {url}")

        walk_serving.walk(case, url)
        walk_drift.walk(case, url, written / "drift.yaml")
        walk_predict.from_topic(case)
        walk_predict.over_a_data_set(case, written / "batch.yaml")
        walk_serving.survive(case, url, manifests)

        say("Shut down")
        run("moorage", "down")
    print(f"\n{GREEN}{BOLD}All of it worked.{PLAIN} What it left is in {STATE}.")


def main() -> int:
    """Run the demo; 1 where a step was not so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--example", choices=sorted(CASES), default="iris")
    parser.add_argument("--kafka", metavar="HOST:PORT", help="a real broker instead of folders")
    arguments = parser.parse_args()
    try:
        demo(CASES[arguments.example], arguments.kafka)
    except DemoError as failure:
        print(f"{RED}✗ {failure}{PLAIN}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
