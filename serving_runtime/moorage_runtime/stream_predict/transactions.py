"""Exactly once: output, dead letters and the input's position are committed by one Kafka transaction per batch.

The batch stays in memory until its transaction is through; after a failure it is written again, in a new one. Where
the answer to a commit was lost, the group's own position says whether it happened: it moves with the transaction.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import cast

from confluent_kafka import KafkaException

from moorage_runtime.stream_predict.delivery import PAUSE, Letters, count_settled
from moorage_runtime.stream_predict.kafka_input import KafkaInput
from moorage_runtime.stream_predict.kafka_output import KafkaSender, words
from moorage_runtime.stream_predict.metrics import Metrics
from moorage_runtime.stream_predict.records import Partition, Predicted

_STUCK = 5.0
"""Seconds after which the call that offers the position is given up, and its producer with it."""
_CALL = 1.0
"""Seconds for which one call to the broker may wait; between calls the group hears of us."""


class ExactlyOnce:
    """Steps a batch through its transaction; each step is repeated until it is done or leads elsewhere."""

    def __init__(
        self, source: Callable[[], KafkaInput], sender: KafkaSender, letters: Letters, metrics: Metrics
    ) -> None:
        self._source = source
        self._sender = sender
        self._letters = letters
        self._metrics = metrics
        self._pending: Predicted | None = None
        self._settling = self._prepared = False
        self._step: Callable[[], None] = self._initialise
        self._failure: str | None = None

    @property
    def error(self) -> str | None:
        """The output's own words, while it is failing."""
        return f"{self._sender.name}: {self._failure}" if self._failure else self._sender.error

    def prepare(self) -> bool:
        """End what an earlier process with our name left open; before that, the group's position is not known."""
        try:
            self._sender.producer.init_transactions(_CALL)
        except KafkaException as error:
            self._failure = words(error)
            if error.args[0].fatal():
                self._sender.renew()
            return False
        self._prepared, self._failure, self._step = True, None, self._write
        return True

    def send(self, predicted: Predicted) -> None:
        """Write a batch's output in a transaction of its own."""
        assert self._pending is None
        self._pending = predicted
        self._step = self._write
        self._try()

    def settle(self, patience: float) -> bool:
        """Step until the batch is through."""
        if self._settling:
            return False
        self._settling = True
        began = time.monotonic()
        try:
            while self._pending is not None:
                further = self._try()
                if self._pending is not None and time.monotonic() - began >= patience:
                    return False
                if not further:
                    self._source().idle()
            self._source().resume()
            return True
        finally:
            self._settling = False

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Take the partitions' records out of the batch, and back from the open transaction."""
        if self._pending is None:
            return
        self._pending = self._pending.without(partitions)
        if self._step in (self._offer, self._commit):
            self._step = self._abort

    def close(self) -> None:
        """Take back what is open, so that nobody waits for it."""
        if self._pending is not None and self._step in (self._offer, self._abort):
            try:
                self._sender.producer.abort_transaction(_CALL)
            except KafkaException as error:
                self._failure = words(error)
        self._sender.close()

    def _try(self) -> bool:
        """One step; whether it came further."""
        step = self._step
        try:
            step()
        except KafkaException as error:
            failure = error.args[0]
            self._failure = words(error)
            if failure.fatal():
                self._step = self._renew
            elif failure.txn_requires_abort():
                self._step = self._abort
            elif not failure.retriable():
                self._step = self._renew if step in (self._abort, self._initialise) else self._abort
            time.sleep(PAUSE)
            return False
        if self._pending is None:
            self._failure = None
            return True
        return self._step != step

    def _batch(self) -> Predicted:
        return cast("Predicted", self._pending)

    def _write(self) -> None:
        if not len(self._batch().batch):
            self._pending = None
            return
        self._sender.producer.begin_transaction()
        self._step = self._offer
        self._sender.send(self._letters.outputs(self._batch()))
        self._sender.send(self._letters.dead(self._batch()))

    def _offer(self) -> None:
        """Wait for the acknowledgements, then put the position into the transaction."""
        if not self._sender.wait(_CALL):
            return
        refused = self._sender.refused()
        if refused:
            self._letters.amend(self._batch(), refused)
            self._failure = refused[0][1]
            self._step = self._abort
            time.sleep(PAUSE)
            return
        positions = self._source().positions(self._ends())
        member = self._source().membership()
        offer = self._sender.producer.send_offsets_to_transaction
        if _returns(lambda: offer(positions, member, _CALL)):
            self._step = self._commit
        else:
            self._failure = "the group's coordinator does not answer"
            self._step = self._renew

    def _ends(self) -> dict[Partition, int]:
        return {partition: at + 1 for partition, at in self._batch().batch.ends().items()}

    def _commit(self) -> None:
        self._sender.producer.commit_transaction(_CALL)
        self._through()

    def _through(self) -> None:
        count_settled(self._metrics, self._batch())
        self._pending = None

    def _abort(self) -> None:
        self._sender.producer.abort_transaction(_CALL)
        self._sender.refused()
        self._metrics.aborted()
        self._step = self._write

    def _renew(self) -> None:
        """Another process has our name, or the broker has forgotten us: begin anew."""
        self._sender.renew()
        self._metrics.aborted()
        self._step = self._initialise

    def _initialise(self) -> None:
        self._sender.producer.init_transactions(_CALL)
        self._step = self._check

    def _check(self) -> None:
        """Whether the transaction that was given up was committed after all."""
        ends = self._ends()
        kept = self._source().committed(ends)
        done = [partition for partition, at in ends.items() if kept.get(partition, -1) >= at]
        if done and len(done) == len(ends):
            self._through()
        else:
            self._pending = self._batch().without(done)
            self._step = self._write


def _returns(call: Callable[[], None]) -> bool:
    """Whether a call returns within _STUCK seconds; raises what it raises.

    Needed for send_offsets_to_transaction, which ignores its own timeout while the group's coordinator is away
    (librdkafka issue 5456). A call that is given up stays in its thread, which ends with the process at the latest.
    """
    outcome: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again below, where somebody waits
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=run, name="offer position", daemon=True).start()
    try:
        error = outcome.get(timeout=_STUCK)
    except queue.Empty:
        return False
    if error is not None:
        raise error
    return True
