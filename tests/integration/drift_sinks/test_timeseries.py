"""Results in real time-series databases, read back by their own query languages."""

import math
import struct
import time

import pytest

from moorage_runtime.config import HttpTargetConfig, TimeseriesConfig
from moorage_runtime.drift.sinks import Sinks
from moorage_runtime.drift.sinks.points import Identity, points
from parts import wait_until
from support.drift_results import START, concept_result, monitor, window_result


def remote(server, **target):
    return TimeseriesConfig(
        name="db",
        protocol="prometheusRemoteWrite",
        target=HttpTargetConfig(url=server.write_url, **target),
    )


def line(server, **target):
    return TimeseriesConfig(
        name="db", protocol="influx", target=HttpTargetConfig(url=server.url, **target), database="drift"
    )


def written(sinks, results):
    sinks.results(results, ())
    wait_until(lambda: status(sinks).pending == 0, "delivery")


def status(sinks):
    return next(one for one in sinks.status() if one.name == "db")


def expected(config, results, *, infinite=True):
    """Labels to timestamp to value, as the servers' query languages name them."""
    found = {}
    for result in results:
        for series, value, timestamp in points(Identity.of(config), result):
            if infinite or math.isfinite(value):
                labels = tuple(sorted((("__name__", series.metric), *series.labels)))
                found.setdefault(labels, {})[timestamp] = value
    return found


def some_results(start=START, *, infinite=True):
    windows = [
        window_result(n, partition=p, start=start, infinite=infinite) for n in range(40) for p in ("0", "1")
    ]
    shift = (start - START) // 1000
    concept = [concept_result(n) for n in range(20)] if not shift else []
    return [*windows, *concept]


def recent():
    """Prometheus takes no points that are far from its own clock: a start some minutes ago, whole seconds."""
    return (int(time.time()) - 600) * 1_000_000


def around(results):
    stamps = [r.timestamp if hasattr(r, "timestamp") else r.window.timestamp for r in results]
    return min(stamps), max(stamps)


def same_bits(found, wanted):
    assert found.keys() == wanted.keys()
    for labels, series in wanted.items():
        assert {t: struct.pack("<d", v) for t, v in found[labels].items()} == {
            t: struct.pack("<d", v) for t, v in series.items()
        }, labels


def test_victoria_has_every_point_once_though_all_are_written_twice(victoria):
    config = monitor(timeseries=[remote(victoria)])
    results = some_results(infinite=False)
    for _ in range(2):
        sinks = Sinks(config)
        written(sinks, results)
        assert status(sinks).dropped == 0
        sinks.close(5)
    victoria.settle()
    found = victoria.points('{__name__=~"moorage_.+"}', *around(results))
    wanted = expected(config, results)
    assert found.keys() == wanted.keys()
    for labels, series in wanted.items():
        # VictoriaMetrics keeps decimals: the last bit of a double may differ
        assert found[labels] == pytest.approx(series, rel=1e-14), labels


def test_influx_gets_its_database_and_every_point_once(influx):
    config = monitor(timeseries=[line(influx)])
    results = some_results()
    for _ in range(2):
        sinks = Sinks(config)
        written(sinks, results)
        assert status(sinks).dropped == 0
        sinks.close(5)
    same_bits(influx.points("drift"), expected(config, results, infinite=False))


def test_prometheus_has_every_point_bit_for_bit_in_any_order(prometheus):
    config = monitor(timeseries=[remote(prometheus)])
    results = some_results(recent())
    for order in (results[40:], results[:50], results):
        sinks = Sinks(config)
        written(sinks, order)
        assert status(sinks).dropped == 0
        assert status(sinks).delivered > 0
        sinks.close(5)
    found = prometheus.points('{__name__=~"moorage_.+"}', *around(results))
    same_bits(found, expected(config, results))


def test_what_a_strict_prometheus_refuses_is_counted_alone(strict_prometheus):
    config = monitor(timeseries=[remote(strict_prometheus)])
    results = some_results(recent())
    sinks = Sinks(config)
    written(sinks, results[20:40])
    before = status(sinks)
    assert before.dropped == 0
    old, new = results[0:6], results[40:80]
    written(sinks, [*new[:20], *old, *new[20:]])
    sinks.close(5)
    wanted = expected(config, results[20:])
    found = strict_prometheus.points('{__name__=~"moorage_.+"}', *around(results))
    same_bits(found, wanted)
    after = status(sinks)
    assert after.dropped == sum(len(points(Identity.of(config), result)) for result in old)
    assert before.delivered + after.dropped < after.delivered + after.dropped
    assert after.delivered == sum(map(len, wanted.values()))


@pytest.mark.parametrize("kind", ["victoria", "prometheus", "influx"])
def test_results_wait_while_the_database_is_away(kind, request):
    server = request.getfixturevalue(kind)
    config = monitor(timeseries=[line(server) if kind == "influx" else remote(server)])
    results = some_results(recent(), infinite=False)
    sinks = Sinks(config)
    written(sinks, results[:20])
    server.stop()
    sinks.results(results[20:50], ())
    wait_until(lambda: status(sinks).error is not None, "the error in the status")
    assert "refused" in status(sinks).error
    assert status(sinks).pending > 0
    sinks.results(results[50:], ())
    server.start()
    wait_until(lambda: status(sinks).pending == 0, "delivery after the restart")
    assert status(sinks).error is None
    assert status(sinks).dropped == 0
    sinks.close(5)
    wanted = expected(config, results)
    if kind == "victoria":
        server.settle()
    found = (
        server.points("drift")
        if kind == "influx"
        else server.points('{__name__=~"moorage_.+"}', *around(results))
    )
    assert found.keys() == wanted.keys()
    for labels, series in wanted.items():
        assert found[labels] == pytest.approx(series, rel=1e-14), labels


def test_a_wrong_password_is_told_without_it_and_a_mended_one_is_taken_up(guarded_influx, tmp_path):
    (tmp_path / "username").write_text("admin\n")
    (tmp_path / "password").write_text("hunter2-hunter2")
    config = monitor(timeseries=[line(guarded_influx, basic_auth_dir=str(tmp_path))])
    results = [window_result(n) for n in range(3)]
    sinks = Sinks(config)
    sinks.results(results, ())
    wait_until(lambda: status(sinks).error is not None, "the refusal")
    assert "HTTP 401" in status(sinks).error
    assert "hunter2" not in status(sinks).error
    (tmp_path / "password").write_text("s3cret-words")
    wait_until(lambda: status(sinks).pending == 0, "delivery with the right password")
    sinks.close(5)
    same_bits(guarded_influx.points("drift"), expected(config, results, infinite=False))


def test_the_oldest_go_where_there_is_no_room(receiver, monkeypatch):
    from moorage_runtime.drift.sinks.remote_write import RemoteWrite

    monkeypatch.setattr(RemoteWrite, "room", 100)
    receiver.failing = [503] * 3
    sink = TimeseriesConfig(
        name="db", protocol="prometheusRemoteWrite", target=HttpTargetConfig(url=receiver.url)
    )
    config = monitor(timeseries=[sink])
    results = [window_result(n) for n in range(30)]
    total = sum(len(points(Identity.of(config), result)) for result in results)
    sinks = Sinks(config)
    sinks.results(results, ())
    seen = status(sinks)
    assert seen.dropped > 0
    assert seen.pending <= 100
    assert seen.delivered + seen.pending + seen.dropped == total
    wait_until(lambda: status(sinks).pending == 0, "delivery of the rest")
    sinks.close(5)
    assert status(sinks).delivered == total - seen.dropped
