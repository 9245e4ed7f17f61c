"""Rows a second from Parquet to Parquet with a linear model, beside what people use today, in the same run.

    python bench/batch.py [--rows 4000000] [--features 4] [--json FILE]

Every candidate reads the same file (an id and float64 features), predicts with the same scikit-learn pipeline
(StandardScaler + LogisticRegression) and writes id and prediction as Parquet. Each is a process of its own, pinned
to one core, run once over almost nothing and once over all: the difference is the rate, the first its start. CPU and
peak memory (RSS, of all its processes together) are sampled by psutil. Compare CPU per row where
the machine is shared.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import joblib
import numpy as np
import psutil
import pyarrow as pa
from pyarrow import parquet
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

CORE = 0
FEW = 1000
PATIENCE = 240
"""Seconds after which a candidate is given up."""
PANDAS = """
import sys, joblib, pandas as pd
model, source, target, names = sys.argv[1:5]
names = names.split(",")
model = joblib.load(model)
rows = pd.read_parquet(source)
rows["predict"] = model.predict(rows[names].to_numpy())
rows[["id", "predict"]].to_parquet(target + ".parquet")
"""


@dataclass
class Row:
    """One candidate; rates without its start."""

    candidate: str
    start_s: float
    seconds: float
    rows_per_s: float
    cpu_us_per_row: float
    rows_per_cpu_s: float
    peak_mb: float


@dataclass
class Measured:
    """One process and its children."""

    seconds: float
    cpu: float
    peak: int


def main() -> int:
    """Measure and print; 1 where a candidate gives other predictions than the first."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=4_000_000)
    parser.add_argument("--features", type=int, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    arguments = parser.parse_args()
    rows, wrong = [], 0
    with tempfile.TemporaryDirectory(prefix="moorage-bench-") as name:
        folder = Path(name)
        names = publish(folder, arguments.rows, arguments.features)
        candidates = {"moorage": moorage, "pandas": pandas}
        header = f"{'candidate':<12}{'start s':>9}{'seconds':>9}{'rows/s':>13}{'CPU us/row':>12}{'rows/CPU s':>13}{'peak MB':>9}"
        print(f"{arguments.rows:,} rows, {arguments.features} features, one core\n{header}")
        for title, command in candidates.items():
            try:
                few = measure(command(folder, "few", names), folder)
                many = measure(command(folder, "many", names), folder)
            except TimeoutError as error:
                print(f"{title:<12}{error}")
                continue
            row = Row(
                title,
                few.seconds,
                many.seconds,
                arguments.rows / max(0.01, many.seconds - few.seconds),
                (many.cpu - few.cpu) / arguments.rows * 1e6,
                arguments.rows / max(0.01, many.cpu - few.cpu),
                many.peak / 1e6,
            )
            rows.append(row)
            print(
                f"{title:<12}{row.start_s:>9.2f}{row.seconds:>9.2f}{row.rows_per_s:>13,.0f}"
                f"{row.cpu_us_per_row:>12.3f}{row.rows_per_cpu_s:>13,.0f}{row.peak_mb:>9.0f}",
                flush=True,
            )
            wrong += not same(folder, title)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 1 if wrong else 0


def publish(folder: Path, count: int, features: int) -> list[str]:
    """Model, few.parquet and many.parquet; the features' names."""
    seen, labels = load_iris(return_X_y=True)
    random = np.random.default_rng(1)
    wide = np.hstack([seen, *(random.normal(size=(len(seen), 1)) for _ in range(features - 4))])[:, :features]
    joblib.dump(
        make_pipeline(StandardScaler(), LogisticRegression()).fit(wide, labels), folder / "model.joblib"
    )
    names = [f"f{place}" for place in range(features)]
    drawn = {
        name: random.normal(wide[:, place].mean(), wide[:, place].std(), count)
        for place, name in enumerate(names)
    }
    table = pa.table({"id": np.arange(count), **drawn})
    parquet.write_table(table, folder / "many.parquet", row_group_size=250_000)
    parquet.write_table(table.slice(0, FEW), folder / "few.parquet")
    return names


def moorage(folder: Path, data: str, names: list[str]) -> list[str]:
    document = {
        "model": {
            "name": "bench",
            "uri": str(folder / "model.joblib"),
            "framework": "sklearn",
            "features": [{"name": name, "type": "float64"} for name in names],
        },
        "input": {"uri": str(folder / f"{data}.parquet")},
        "outputUri": str(folder / f"moorage-{data}"),
        "keep": ["id"],
        "managementPort": None,
    }
    config = folder / f"{data}.json"
    config.write_text(json.dumps(document))
    return [sys.executable, "-m", "moorage_runtime", "batch", "--config", str(config)]


def pandas(folder: Path, data: str, names: list[str]) -> list[str]:
    return script(sys.executable, PANDAS, folder, data, names, "pandas")


def script(python: str, text: str, folder: Path, data: str, names: list[str], title: str) -> list[str]:
    target = folder / f"{title}-{data}"
    target.mkdir(exist_ok=True)
    where = [
        str(folder / "model.joblib"),
        str(folder / f"{data}.parquet"),
        str(target / "part"),
        ",".join(names),
    ]
    return [python, "-c", text, *where]


def measure(command: list[str], folder: Path) -> Measured:
    """Run it on one core with native libraries kept to one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    begun, cpu, peak = time.perf_counter(), {}, 0
    with (folder / "log").open("wb") as log:
        process = psutil.Popen(
            command,
            stdout=log,
            stderr=log,
            env={**os.environ, **threads},
            preexec_fn=lambda: os.sched_setaffinity(0, {CORE}),
        )
        while process.poll() is None:
            if time.perf_counter() - begun > PATIENCE:
                for member in [*children(process), process]:
                    member.kill()
                process.wait()
                raise TimeoutError(f"not done within {PATIENCE} s")
            resident = 0
            for member in [process, *children(process)]:
                try:
                    times = member.cpu_times()
                    cpu[member.pid] = times.user + times.system
                    resident += member.memory_info().rss
                except psutil.Error:
                    continue
            peak = max(peak, resident)
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{(folder / 'log').read_text()[-3000:]}")
    return Measured(time.perf_counter() - begun, sum(cpu.values()), peak)


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def same(folder: Path, title: str) -> bool:
    """Whether a candidate's predictions are those of the model; says so where not."""
    found = pa.concat_tables(
        [
            parquet.read_table(file, columns=["id", "predict"])
            for file in sorted((folder / f"{title}-many").rglob("*.parquet"))
            if "_moorage" not in file.parts
        ]
    ).sort_by("id")
    first = pa.concat_tables(
        [
            parquet.read_table(file, columns=["id", "predict"])
            for file in sorted((folder / "moorage-many").glob("[!_]*/*.parquet"))
        ]
    )
    equal = found.combine_chunks().equals(first.combine_chunks())
    if not equal:
        print(f"{title}: other predictions than moorage's")
    return equal


if __name__ == "__main__":
    sys.exit(main())
