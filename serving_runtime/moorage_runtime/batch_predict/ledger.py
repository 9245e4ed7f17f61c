"""What lies in the output's folder: the plan, one record per finished fragment, the manifest, the latest run.

OUTPUT/RUN/part-00000.parquet …          predictions
OUTPUT/_moorage/RUN/plan.json            written by the first worker, never changed
OUTPUT/_moorage/RUN/parts/part-00000.json  rows, size and checksum of a finished part
OUTPUT/_moorage/RUN/manifest.json        all of it, once all parts are there
OUTPUT/_moorage/latest.json              the run that was last finished
Nothing in them depends on who wrote it or when.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import orjson

from moorage_runtime.batch_predict.fault import BatchFault
from moorage_runtime.batch_predict.plan import Fragment, Plan
from moorage_runtime.batch_predict.write import Part, inspect
from moorage_runtime.config import StorageConfig
from moorage_runtime.storage import (
    Changed,
    StorageError,
    list_files,
    open_input,
    read_bytes,
    read_tagged,
    write_bytes,
    write_if,
)

_READERS = 8
_PRETTY = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


class Ledger:
    """The folder of one run."""

    def __init__(self, output_uri: str, run: str, storage: StorageConfig) -> None:
        base = output_uri.rstrip("/")
        self.folder = f"{base}/{run}/"
        self.run = run
        self._own = f"{base}/_moorage/{run}/"
        self._latest = f"{base}/_moorage/latest.json"
        self._storage = storage

    def plan(self) -> Plan | None:
        """The plan, once there is one."""
        found = read_tagged(self._own + "plan.json", self._storage)
        if found is None:
            return None
        try:
            return Plan.from_json(found[0])
        except (ValueError, LookupError, TypeError) as error:
            raise BatchFault(f"{self._own}plan.json: cannot be read: {error}") from None

    def offer(self, plan: Plan) -> None:
        """Write the plan, unless another process with the same index was first: its plan is the same."""
        try:
            write_if(self._own + "plan.json", plan.to_json(), None, self._storage)
        except Changed:
            return

    def part_uri(self, fragment: Fragment) -> str:
        """Where the fragment's predictions go."""
        return self.folder + fragment.part

    def done(self) -> set[str]:
        """Names of the parts that are finished and on record."""
        listed = list_files(self._own + "parts/*.json", self._storage)
        return {file.uri.rpartition("/")[2].removesuffix(".json") + ".parquet" for file in listed}

    def record(self, fragment: Fragment, part: Part) -> None:
        """Put a finished part on record."""
        document = orjson.dumps(asdict(part), option=orjson.OPT_SORT_KEYS)
        write_bytes(self._record_uri(fragment), document, self._storage)

    def recover(self, fragment: Fragment) -> Part | None:
        """The part that a killed worker finished but did not put on record; None where there is none of ours."""
        uri = self.part_uri(fragment)
        if not list_files(uri, self._storage):
            return None
        try:
            with open_input(uri, self._storage) as source:
                part = inspect(source)
        except (ValueError, OSError):
            return None
        self.record(fragment, part)
        return part

    def finish(self, plan: Plan, model: dict[str, Any]) -> dict[str, Any] | None:
        """Write manifest and latest run where all parts are on record; the manifest, None where some are missing."""
        if len(self.done() & {fragment.part for fragment in plan.fragments}) < len(plan.fragments):
            return None
        with ThreadPoolExecutor(_READERS) as pool:
            parts = list(pool.map(self._read_record, plan.fragments))
        manifest = {
            "run": plan.run,
            "model": model,
            "input": {"format": plan.format, "files": [asdict(file) for file in plan.files]},
            "rows": sum(part["rows"] for part in parts),
            "rejected": sum(part["rejected"] for part in parts),
            "parts": parts,
        }
        with suppress(Changed):  # another worker saw the same
            write_if(self._own + "manifest.json", orjson.dumps(manifest, option=_PRETTY), None, self._storage)
        latest = {"run": plan.run, "folder": f"{plan.run}/", "manifest": f"_moorage/{plan.run}/manifest.json"}
        data = orjson.dumps(latest, option=_PRETTY)
        before = read_tagged(self._latest, self._storage)
        if before is None or before[0] != data:
            write_bytes(self._latest, data, self._storage)
        return manifest

    def _record_uri(self, fragment: Fragment) -> str:
        return f"{self._own}parts/{fragment.part.removesuffix('.parquet')}.json"

    def _read_record(self, fragment: Fragment) -> dict[str, Any]:
        uri = self._record_uri(fragment)
        try:
            found = orjson.loads(read_bytes(uri, self._storage))
            return {"part": fragment.part, **found, "rows": int(found["rows"])}
        except (ValueError, LookupError, TypeError):
            raise StorageError(f"{uri}: is no record of a part") from None
