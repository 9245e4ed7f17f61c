"""One S3 server for the run."""

import pytest

from conftest import provide
from parts.s3 import s3_server


@pytest.fixture(scope="session")
def s3():
    yield from provide(s3_server)
