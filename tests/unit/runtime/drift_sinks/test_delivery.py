"""Delivery to a place that fails, refuses or is slow."""

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from moorage_runtime.drift.sinks import delivery, stored
from moorage_runtime.drift.sinks.delivery import Delivery, Refused, Unavailable
from parts import wait_until
from support.drift_results import change, concept_result, window_result


class Place:
    """Takes numbers; `bad` are refused, and `faults` are raised first."""

    batch = 8
    room = 1000

    def __init__(self, bad=(), faults=(), gate=None):
        self.bad = set(bad)
        self.faults = list(faults)
        self.gate = gate
        self.taken = []
        self.sizes = []
        self.closed = False

    def units(self, item):
        return 1

    def send(self, items):
        if self.gate is not None:
            self.gate.wait(30)
        if self.faults:
            raise self.faults.pop(0)
        self.sizes.append(len(items))
        if self.bad.intersection(items):
            raise Refused("HTTP 400: out of order")
        self.taken += items

    def close(self):
        self.closed = True


def delivered(place, items, *, quick=None):
    if quick is not None:
        quick.setattr(delivery, "FIRST_WAIT", 0.001)
    one = Delivery("place", place)
    one.put(items)
    wait_until(lambda: one.status.pending == 0, "delivery")
    one.stop(5)
    one.join()
    return one.status


def test_items_arrive_in_order_and_in_batches():
    place = Place()
    status = delivered(place, list(range(20)))
    assert place.taken == list(range(20))
    assert place.sizes == [8, 8, 4]
    assert (status.delivered, status.dropped, status.error) == (20, 0, None)
    assert place.closed


@settings(max_examples=30, deadline=None)
@given(bad=st.sets(st.integers(0, 39)))
def test_only_what_is_refused_is_dropped(bad):
    place = Place(bad)
    status = delivered(place, list(range(40)))
    assert place.taken == [n for n in range(40) if n not in bad]
    assert (status.delivered, status.dropped) == (40 - len(bad), len(bad))


def test_faults_are_tried_again_and_nothing_is_lost(monkeypatch):
    place = Place(faults=[Unavailable("down")] * 5)
    status = delivered(place, list(range(20)), quick=monkeypatch)
    assert place.taken == list(range(20))
    assert (status.dropped, status.error) == (0, None)


def test_an_item_that_breaks_its_encoder_goes_alone():
    class Fragile(Place):
        def send(self, items):
            if 3 in items:
                raise ValueError("three")
            super().send(items)

    place = Fragile()
    status = delivered(place, list(range(10)))
    assert place.taken == [n for n in range(10) if n != 3]
    assert status.dropped == 1


def test_where_there_is_no_room_the_oldest_go_and_are_counted():
    gate = threading.Event()
    place = Place(gate=gate)
    place.room = 10
    one = Delivery("place", place)
    one.put(list(range(30)))
    assert one.pending == list(range(20, 30))
    gate.set()
    wait_until(lambda: one.status.pending == 0, "delivery")
    one.stop(5)
    one.join()
    assert place.taken[-10:] == list(range(20, 30))
    status = one.status
    assert status.delivered + status.dropped == 30


def test_closing_delivers_what_waits_unless_it_fails():
    place = Place()
    one = Delivery("place", place)
    one.put(list(range(50)))
    one.stop(30)
    one.join()
    assert place.taken == list(range(50))
    away = Delivery("away", Place(faults=[Unavailable("down")] * 100))
    away.put([1, 2])
    wait_until(lambda: away.status.error == "down", "the first fault")
    away.stop(30)
    away.join()
    assert away.pending == [1, 2]
    assert away.status.error == "down"


def test_results_and_changes_come_back_from_json_as_they_were():
    for n in range(20):
        for result in (window_result(n), window_result(n, partition=None), concept_result(n)):
            again = stored.decode_result(stored.encode_result(result))
            assert repr(again) == repr(result)  # NaN does not equal itself
        assert stored.decode_change(stored.encode_change(change(n))) == change(n)
