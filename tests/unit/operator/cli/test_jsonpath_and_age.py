"""Kubernetes' JSONPath and durations."""

from datetime import UTC, datetime

import pytest

from moorage_operator.cli.age import age, human, seconds_of
from moorage_operator.cli.jsonpath import JsonPathError, find, render

OBJECT = {
    "metadata": {"name": "iris", "annotations": {"a.b/c": "d"}},
    "status": {
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}],
        "replicas": 2,
        "ready": False,
        "nothing": None,
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".metadata.name", ["iris"]),
        ("metadata.name", ["iris"]),
        ("$.metadata.name", ["iris"]),
        (".status.conditions[*].type", ["Ready", "Stalled"]),
        (".status.conditions[0].type", ["Ready"]),
        (".status.conditions[-1].type", ["Stalled"]),
        (".status.conditions[7].type", []),
        (".status.conditions[-7].type", []),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type!="Ready")].status', ["False"]),
        ('.status.conditions[?(@.type=="Absent")].status', []),
        (r".metadata.annotations.a\.b/c", ["d"]),
        (".metadata.annotations['a.b/c']", ["d"]),
        (".metadata.annotations.*", ["d"]),
        (".status.replicas", [2]),
        (".status.ready", [False]),
        (".status.nothing", []),
        (".metadata.name.deeper", []),
        (".metadata[0]", []),
        (".", [OBJECT]),
    ],
)
def test_paths(path, found):
    assert find(path, OBJECT) == found


@pytest.mark.parametrize("path", [".a[", ".a[?(@.x>1)]", ".a..b", ".a{}"])
def test_a_path_that_is_not_understood_is_shown(path):
    with pytest.raises(JsonPathError, match="unrecognized JSONPath"):
        find(path, OBJECT)


def test_templates():
    assert render('{.metadata.name}:{.status.replicas}{"\\n"}', OBJECT) == "iris:2\n"
    assert render("{.status.conditions[*].type}", OBJECT) == "Ready Stalled"
    assert render(".status.ready", OBJECT) == "false"
    with pytest.raises(JsonPathError):
        render('{"\\x"}', OBJECT)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (185, "3m5s"), (600, "10m"),
        (3600 * 3 - 1, "179m"), (3600 * 3, "3h"), (3600 * 3 + 60, "3h1m"), (3600 * 8, "8h"), (3600 * 47, "47h"),
        (86400 * 2, "2d"), (86400 * 2 + 3600, "2d1h"), (86400 * 8, "8d"), (86400 * 729, "729d"),
        (86400 * 730, "2y"), (86400 * 731, "2y1d"), (86400 * 365 * 9, "9y"),
    ],
)  # fmt: skip
def test_durations_are_written_as_kubectl_writes_them(seconds, shown):
    assert human(seconds) == shown


def test_age():
    now = datetime(2026, 11, 22, 16, 2, tzinfo=UTC)
    assert age("2026-11-22T16:00:00Z", now) == "2m"
    assert age(None) == "<unknown>"
    assert age("soon") == "<invalid>"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("2m", 120), ("1h30m", 5400), ("1.5s", 1.5), ("100ms", 0.1), ("0", 0), ("-1s", -1)],
)
def test_durations_are_read_as_go_reads_them(text, seconds):
    assert seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "60", "1x", "s", "1s2", "1 s"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="invalid duration"):
        seconds_of(text)
