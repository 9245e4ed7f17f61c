"""One API server with the kinds of Moorage for all tests of this folder."""

import pytest

from conftest import provide
from parts.apiserver import kube_apiserver
from support.kinds import install


@pytest.fixture(scope="package")
def server():
    for api in provide(kube_apiserver):
        install(api)
        yield api
