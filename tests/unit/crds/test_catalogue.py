"""The default catalogue is valid and ships with the package."""

import tomllib
from importlib.resources import files

from moorage_api import catalogue, crd
from support.manifests import ROOT


def test_every_default_runtime_is_a_good_manifest():
    runtimes = catalogue.load()
    names = [runtime["metadata"]["name"] for runtime in runtimes]
    assert names == ["drift", "onnx", "python", "sklearn", "test"]
    for runtime in runtimes:
        assert runtime["kind"] == "ClusterModelRuntime"
        assert crd.validate(runtime) == []
        assert crd.unknown_fields(runtime) == []


def test_images_carry_the_version_of_this_release():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {runtime["spec"]["image"].rpartition(":")[2] for runtime in catalogue.load()} == {version}


def test_every_file_of_the_catalogue_is_loaded():
    names = {
        file.name for file in files(catalogue).iterdir() if file.name.endswith((".yaml", ".yml", ".json"))
    }
    assert names == {f"{runtime['metadata']['name']}.yaml" for runtime in catalogue.load()}
