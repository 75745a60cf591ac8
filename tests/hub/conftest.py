import pytest
from server import Hub


@pytest.fixture
def hub():
    with Hub() as server:
        yield server
        server.shutdown()
