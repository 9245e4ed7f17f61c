"""Where the real API server is looked for."""

import pytest

from parts import Missing
from parts.apiserver import binaries


def test_assets_are_taken_from_the_folder_of_envtest(tmp_path, monkeypatch):
    for name in ("kube-apiserver", "etcd"):
        (tmp_path / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert binaries() == (tmp_path / "kube-apiserver", tmp_path / "etcd")


def test_an_incomplete_folder_is_named_and_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "etcd").touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(Missing, match="KUBEBUILDER_ASSETS has no kube-apiserver"):
        binaries()


def test_a_machine_without_etcd_says_so(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setattr("parts.apiserver.need", missing)
    with pytest.raises(Missing, match="etcd is not installed"):
        binaries()


def missing(program, why):
    raise Missing(f"{program} is not installed ({why})")
