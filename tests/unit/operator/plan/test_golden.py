"""Each manifest's plan, whole and readable: a change of any child is seen in review.

`MOORAGE_GOLDEN=write pytest tests/unit/operator/plan/test_golden.py` writes the files anew.
"""

import os
from pathlib import Path

import pytest
import yaml

from moorage_operator.plan import plan, references
from unit.operator.plan.world import CATALOGUE, ready_serving, seeing

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
MANIFESTS = {
    **{path.stem: path for path in sorted(HERE.glob("manifests/*.yaml"))},
    **{f"{path.parts[-3]}-{path.stem}": path for path in sorted(ROOT.glob("examples/*/manifests/*.yaml"))},
}


class _Dumper(yaml.SafeDumper):
    """Text of several lines as a block."""

    def ignore_aliases(self, data):
        return True


_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def read(path):
    """The manifests of a file as an API server would hold them."""
    found = [document for document in yaml.safe_load_all(path.read_text()) if document]
    for each in found:
        metadata = {
            "namespace": "default",
            "uid": f"uid-of-{each['kind'].lower()}-{each['metadata']['name']}",
            "generation": 1,
        }
        each["metadata"] = {**metadata, **each["metadata"]}
    return found


@pytest.fixture(scope="module")
def servings():
    return {
        (each["metadata"]["namespace"], each["metadata"]["name"]): ready_serving(each)
        for path in MANIFESTS.values()
        for each in read(path)
        if each["kind"] == "ModelServing"
    }


@pytest.mark.parametrize("name", MANIFESTS)
def test_the_plan_of_each_manifest_is_as_reviewed(name, servings):
    documents = []
    for manifest in read(MANIFESTS[name]):
        referenced = [servings[ref.namespace, ref.name] for ref in references(manifest)]
        made = plan(manifest, CATALOGUE, seeing(*referenced))
        documents += [*made.children, {"status": made.status}]
    text = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=True, width=110)
    golden = HERE / "golden" / f"{name}.yaml"
    if os.environ.get("MOORAGE_GOLDEN") == "write":
        golden.write_text(text)
    assert golden.exists(), "no golden file yet; write it with MOORAGE_GOLDEN=write and review it"
    assert text == golden.read_text(), "differs; if that is meant, write it with MOORAGE_GOLDEN=write"
