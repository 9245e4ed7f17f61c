"""The demo is the README's first claim, so it runs here as a person runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import provide
from parts.kafka import kafka_broker

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def kafka():
    yield from provide(kafka_broker)


def demo(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "examples" / "demo.py", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


@pytest.mark.parametrize("example", ["iris", "breast_cancer"])
def test_the_demo_shows_the_main_job(example: str, tmp_path: Path) -> None:
    done = demo(tmp_path, "--example", example)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All of it worked." in done.stdout
    assert "✗" not in done.stdout + done.stderr


def test_the_demo_runs_on_a_real_broker_and_needs_no_curl(kafka, tmp_path: Path) -> None:
    done = demo(tmp_path, "--kafka", kafka.bootstrap, PATH=str(Path(sys.executable).parent))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / ".moorage/demo/streams").exists()
    assert "$ curl -s http://127.0.0.1:" in done.stdout


def test_the_demo_fails_where_a_step_is_not_so(tmp_path: Path) -> None:
    done = demo(tmp_path, "--kafka", "127.0.0.1:1")
    assert done.returncode == 1
    assert "✗" in done.stderr
