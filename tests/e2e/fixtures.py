"""The fixtures of tests/e2e and tests/interop; their conftest.py files take them from here."""

import pytest

from harness import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running server with the test product and a pool of devices, shared by the tests of a file."""
    found = Server(tmp_path_factory.mktemp("server")).seed(120)
    try:
        found.start()
        yield found
        for extra in found.extra:
            extra.end()
        found.stop()
    finally:
        found.discard()


@pytest.fixture
def make_server(tmp_path):
    """Makes servers of one's own: `make_server(settings, devices=10, start=True)`. Stopped and checked at the end."""
    made = []

    def make(settings=None, devices=10, start=True, **options):
        found = Server(tmp_path / f"server{len(made)}", settings, **options)
        made.append(found)
        if devices:
            found.seed(devices)
        if start:
            found.start()
        return found

    try:
        yield make
        for found in made:
            for extra in found.extra:
                extra.end()
            found.stop()
            found.check_log()
    finally:
        for found in made:
            found.discard()


@pytest.fixture
def device(server):
    return server.device()
