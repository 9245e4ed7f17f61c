"""Names that Kubernetes takes, whatever comes in."""

import re

from hypothesis import given
from hypothesis import strategies as st

from moorage_operator.plan import names

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def test_names_that_fit_stay_readable():
    assert names.child("iris", "0a1b2c") == "iris-0a1b2c"
    assert names.label_value("Iris_v1.2") == "Iris_v1.2"


@given(st.lists(st.text(max_size=80), min_size=1, max_size=3))
def test_any_input_gives_a_legal_name(parts):
    assert DNS_LABEL.fullmatch(names.child(*parts))
    assert len(names.child(*parts, length=names.CRON_JOB_LENGTH)) <= 52
    assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", names.label_value("-".join(parts)))


@given(
    st.text(alphabet="ab.-_A", min_size=1, max_size=70), st.text(alphabet="ab.-_A", min_size=1, max_size=70)
)
def test_different_inputs_have_different_names(one, other):
    assert (names.child("v", one) == names.child("v", other)) == (one == other)


def test_a_fingerprint_sees_content_and_not_order():
    assert names.fingerprint({"a": 1, "b": [1, 2]}) == names.fingerprint({"b": [1, 2], "a": 1})
    assert names.fingerprint([1, 2]) != names.fingerprint([2, 1])
