"""One worker of a run: plan or wait for the plan, predict its fragments, and look whether all are done."""

import sys
import threading
import time
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from moorage_runtime.batch_predict import planning
from moorage_runtime.batch_predict.fault import BatchFault, Stopped
from moorage_runtime.batch_predict.ledger import Ledger
from moorage_runtime.batch_predict.limits import Limits
from moorage_runtime.batch_predict.plan import Fragment, Plan, run_id
from moorage_runtime.batch_predict.predict import Predictor
from moorage_runtime.batch_predict.read import read
from moorage_runtime.batch_predict.state import State
from moorage_runtime.batch_predict.write import Part, Writer, file_schema, table_of
from moorage_runtime.config import BatchPredictConfig
from moorage_runtime.models import Loaded, load
from moorage_runtime.storage import open_output

_POLL_SECONDS = 1.0
_VERSION_DIGITS = 12


class Worker:
    """`run` raises BatchFault, LoadError, StorageError, and Stopped once `stop` is set."""

    def __init__(
        self, config: BatchPredictConfig, index: int, state: State, stop: threading.Event, limits: Limits
    ) -> None:
        self._config = config
        self._index = index
        self._state = state
        self._stop = stop
        self._limits = limits

    def run(self) -> str:
        """Do this worker's share; a sentence about it."""
        config = self._config
        cache = Path(config.cache_dir or Path(gettempdir()) / "moorage-models")
        loaded = load(config.model, config.storage, cache)
        self._state.loaded(loaded.digest)
        if loaded.warning:
            _say(f"model {config.model.name}: {loaded.warning}")
        ledger, plan = self._agree(loaded)
        mine = plan.fragments[self._index :: config.parallelism]
        self._state.planned(plan, sum(fragment.rows for fragment in mine), ledger.folder)
        _say(
            f"run {plan.run}: {plan.rows:,} rows in {len(plan.fragments)} fragments of {len(plan.files)} files, "
            f"{len(mine)} of them for worker {self._index}; model {config.model.name} {loaded.digest[:12]}"
        )
        skipped = self._predict(plan, mine, ledger, loaded)
        manifest = ledger.finish(plan, self._identity(loaded))
        if skipped:
            _say(f"{skipped} of {len(mine)} fragments were done before")
        if manifest is None:
            return f"{len(mine)} fragments are done, other workers have theirs to do"
        refused = f", {manifest['rejected']:,} of them refused (column error)" if manifest["rejected"] else ""
        return f"{manifest['rows']:,} rows are predicted{refused}: {ledger.folder}"

    def _agree(self, loaded: Loaded) -> tuple[Ledger, Plan]:
        """The plan of the run that input, spec and model make."""
        waiting = time.monotonic() + self._limits.plan_wait_seconds
        while True:
            kind, files = planning.find(self._config)
            run = run_id(self._config, files, loaded.digest)
            ledger = Ledger(self._config.output_uri, run, self._config.storage)
            if (plan := ledger.plan()) is not None:
                return ledger, plan
            if self._index == 0:
                ledger.offer(planning.make(self._config, loaded.model, run, kind, files, self._limits))
                continue
            if time.monotonic() > waiting:
                raise BatchFault(
                    f"worker 0 has planned no run {run}: it failed, or {self._config.input.uri} changed meanwhile"
                )
            if self._stop.wait(_POLL_SECONDS):
                raise Stopped

    def _predict(self, plan: Plan, mine: tuple[Fragment, ...], ledger: Ledger, loaded: Loaded) -> int:
        """Predict what is not done yet; how many fragments were."""
        columns = planning.wanted(self._config, loaded.model.signature, plan.read.names)
        predictor = Predictor(loaded.model, columns)
        done, skipped = ledger.done(), 0
        for fragment in mine:
            if self._stop.is_set():
                raise Stopped
            if fragment.part in done:
                self._state.add(rows=fragment.rows, fragments=1)
                skipped += 1
            elif part := ledger.recover(fragment):
                self._state.add(rows=part.rows, rejected=part.rejected, fragments=1)
                skipped += 1
            else:
                ledger.record(fragment, self._one(plan, fragment, ledger, loaded, predictor))
                self._state.add(fragments=1)
        return skipped

    def _one(
        self, plan: Plan, fragment: Fragment, ledger: Ledger, loaded: Loaded, predictor: Predictor
    ) -> Part:
        schema = file_schema(plan.kept, plan.outputs)
        model = self._config.model
        version = model.version or loaded.digest[:_VERSION_DIGITS]
        with (
            open_output(ledger.part_uri(fragment), self._config.storage) as sink,
            Writer(sink, schema, self._limits) as writer,
        ):
            for rows in read(plan, fragment, self._config.storage, self._limits):
                predicted = predictor.predict(rows)
                table = table_of(rows, predicted, schema, plan.outputs, model.name, version)
                writer.write(table, len(predicted.errors))
                self._state.add(rows=rows.count, rejected=len(predicted.errors))
                if self._stop.is_set():
                    raise Stopped
            return writer.close()

    def _identity(self, loaded: Loaded) -> dict[str, Any]:
        model = self._config.model
        return {"name": model.name, "version": model.version, "digest": loaded.digest}


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
