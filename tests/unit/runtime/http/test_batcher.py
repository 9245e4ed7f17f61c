"""One tick, one predict call; a bad request spoils only itself; what is answered is captured and counted."""

import asyncio
import gc
import threading
import weakref

from moorage_runtime.http import batcher

ROW = [1.0, 2.0, 3.0, 4.0]
V1 = "/v1/models/iris:predict"


def predict(app, first, path=V1):
    return app.request("POST", path, {"instances": [[first, 0, 0, 0]]})


async def together(app, *requests):
    """Each request on a connection of its own, all in one tick."""
    lines = [app.connect() for _ in requests]
    for (connection, _), data in zip(lines, requests, strict=True):
        connection.data_received(data)
    for connection, _ in lines:
        await app.settle(connection)
    return [app.replies(wire)[0] for _, wire in lines]


async def test_requests_of_one_tick_are_one_call_across_dialects(app):
    found = await together(
        app,
        predict(app, 1),
        predict(app, 2),
        app.request("POST", "/iris/predict", {"instances": [[3, 0, 0, 0], [4, 0, 0, 0]]}),
        app.request("POST", "/v2/models/iris/infer", {"inputs": [[5, 0, 0, 0]]}),
    )
    assert app.sums.calls == [5]
    assert [reply.json for reply in found[:3]] == [{"predictions": [1]}, {"predictions": [2]}, [3, 4]]
    assert found[3].json["outputs"] == [5]


async def test_other_outputs_are_another_call(app):
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW}
    proba = {"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}
    found = await together(
        app, predict(app, 1), app.request("POST", "/v2/models/iris/infer", proba), predict(app, 2)
    )
    assert app.sums.calls == [2, 1]
    assert [found[0].json["predictions"], found[2].json["predictions"]] == [[1], [2]]
    assert found[1].json["outputs"][0]["data"] == [10.0, -9.0]


async def test_a_bad_request_spoils_only_itself(app):
    found = await together(app, predict(app, 1), predict(app, -5), predict(app, 666), predict(app, 2))
    assert [reply.status for reply in found] == [200, 400, 500, 200]
    assert app.sums.calls == [4, 1, 1, 1, 1]


async def test_a_call_has_a_bound_of_rows(app):
    big = app.request("POST", V1, {"instances": [ROW] * 3000})
    found = await together(app, big, big, big)
    assert [len(reply.json["predictions"]) for reply in found] == [3000] * 3
    assert app.sums.calls == [3000] * 3


async def test_a_model_that_is_not_stackable_sees_each_request(app):
    path = "/v1/models/user:predict"
    found = await together(app, predict(app, 1, path), predict(app, 2, path))
    assert [reply.json["predictions"] for reply in found] == [[1], [2]]
    assert app.models["user"].model.calls == [1, 1]


async def test_while_a_call_is_in_its_thread_the_next_batch_gathers(app):
    release, entered = threading.Event(), threading.Event()
    plain = app.sums.predict

    def slow(inputs, outputs):
        entered.set()
        assert release.wait(10)
        return plain(inputs, outputs)

    big = app.request("POST", V1, {"instances": [ROW] * 2000})
    app.sums.predict = slow
    lines = [app.connect() for _ in range(4)]
    lines[0][0].data_received(big)
    async with asyncio.timeout(10):
        while not entered.is_set():
            await asyncio.sleep(0.001)
    for connection, _ in lines[1:]:
        connection.data_received(predict(app, 1))
        await asyncio.sleep(0)
    assert (await app.ask("GET", "/v2/health/live")).status == 200
    release.set()
    for connection, _ in lines:
        await app.settle(connection)
    assert app.sums.calls == [2000, 3]


async def test_each_answered_request_is_one_event(app):
    await together(
        app,
        app.request("POST", V1, {"instances": [ROW, [0, 0, 0, 1]]}, {"X-Request-ID": "r1"}),
        app.request("POST", V1, {"instances": [[-1, 0, 0, 0]]}, {"X-Request-ID": "bad"}),
        app.request("POST", "/v2/models/iris/infer", {"id": "r2", "inputs": [ROW]}),
    )
    events = app.recording.events
    assert [event[:3] for event in events] == [("r1", "predict", [10, 1]), ("r2", "infer", [10])]
    assert all(event[3] > 0 for event in events)
    assert app.recording.ticks == 1


async def test_answers_are_counted_by_model_dialect_and_code(app):
    await together(app, predict(app, 1), predict(app, 2), predict(app, -1))
    await app.ask("POST", "/v2/models/iris/infer", {"inputs": [ROW]})
    await app.ask("GET", "/nothing")
    text = app.metrics.expose().decode()
    assert 'moorage_requests_total{code="200",dialect="v1",model="iris"} 2.0' in text
    assert 'moorage_requests_total{code="400",dialect="v1",model="iris"} 1.0' in text
    assert 'moorage_requests_total{code="200",dialect="mlrun-v2",model="iris"} 1.0' in text
    assert 'moorage_requests_total{code="404",dialect="server",model=""} 1.0' in text
    assert 'moorage_request_duration_seconds_count{dialect="v1",model="iris"} 3.0' in text
    assert 'moorage_batch_rows_sum{model="iris"} 3.0' in text
    assert "moorage_in_flight_requests 0.0" in text
    assert 'moorage_model_ready{model="broken"} 0.0' in text
    assert 'version="v3"' in text


async def test_a_model_that_turns_out_slow_moves_to_its_thread_and_back(app, monkeypatch):
    now, cost, threads = [0], [5_000_000], []
    plain = app.sums.predict

    def timed(inputs, outputs):
        threads.append(threading.get_ident())
        now[0] += cost[0]
        return plain(inputs, outputs)

    app.sums.predict = timed
    monkeypatch.setattr(batcher, "perf_counter_ns", lambda: now[0])
    for _ in range(30):
        await together(app, predict(app, 1))
    assert threads[0] == threading.get_ident() != threads[-1]
    cost[0] = 1000
    for _ in range(30):
        await together(app, predict(app, 1))
    assert threads[-1] == threading.get_ident()


async def test_one_slow_call_moves_nothing(app, monkeypatch):
    now, cost, threads = [0], [5_000_000], set()
    plain = app.sums.predict

    def timed(inputs, outputs):
        threads.add(threading.get_ident())
        now[0] += cost[0]
        cost[0] = 5_000_000 if cost[0] == 1000 else 1000
        return plain(inputs, outputs)

    app.sums.predict = timed
    monkeypatch.setattr(batcher, "perf_counter_ns", lambda: now[0])
    for _ in range(60):
        await together(app, predict(app, 1))
    assert threads == {threading.get_ident()}


async def test_what_waits_behind_a_hung_call_is_forgotten_with_its_client(app):
    """Otherwise a model that never returns would keep the rows of every request that has timed out since."""
    entered, release = threading.Event(), threading.Event()

    def hang(inputs, outputs):
        entered.set()
        release.wait(10)
        return {"predict": inputs[:, 0]}

    app.models["user"].model.predict = hang
    path = "/v1/models/user:predict"
    first, _ = app.connect()
    first.data_received(predict(app, 1, path))
    await asyncio.to_thread(entered.wait, 10)
    gone, _ = app.connect()
    gone.data_received(predict(app, 2, path))
    rows = weakref.ref(next(iter(app.models["user"]._batcher._pending.values())).inputs)
    gone.connection_lost(None)
    gc.collect()
    assert rows() is None
    assert app.gate.in_flight == 1
    release.set()
    await app.settle(first)
    assert app.gate.in_flight == 0
