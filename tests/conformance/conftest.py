import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parent / "e2e")]

import pytest  # noqa: E402

import statements  # noqa: E402
from lab import TRANSPORTS, Lab, OtherBroker, OwnBroker, other_broker  # noqa: E402
from lab5 import Lab5  # noqa: E402

RESULTS = FOLDER.parents[1] / "build" / "conformance" / "results.json"
NEEDS_OWN_SERVER = {"own_lab", "make_lab"}
_results = {}


def pytest_configure(config):
    config.addinivalue_line("markers", "statement(id, ...): the normative statements that the test shows")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Tests that restart or configure the server stay out when another broker is judged."""
    if other_broker():
        out = [item for item in items if NEEDS_OWN_SERVER & set(item.fixturenames)]
        items[:] = [item for item in items if item not in out]
        config.hook.pytest_deselected(items=out)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    found = _results.setdefault(item.nodeid, {
        "test": f"{item.path.name}::{item.originalname}",
        "version": statements.version_of(item.path),
        "transport": item.callspec.params.get("transport") if hasattr(item, "callspec") else None,
        "statements": [name for mark in item.iter_markers("statement") for name in mark.args],
        "outcome": "passed",
        "seconds": 0.0,
    })
    found["seconds"] = round(found["seconds"] + report.duration, 3)
    if report.outcome != "passed":
        found["outcome"] = "failed"


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    """What a worker of pytest-xdist found."""
    _results.update(getattr(node, "workeroutput", {}).get("conformance", {}))


def pytest_sessionfinish(session):
    """build/conformance/results.json, or results-other.json for another broker: one entry for each test that ran."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["conformance"] = _results
    elif _results:
        path = RESULTS.with_name("results-other.json") if other_broker() else RESULTS
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(list(_results.values()), indent=1) + "\n")


@pytest.fixture(scope="session")
def broker(tmp_path_factory):
    """The broker that all tests share."""
    found = OtherBroker(other_broker()) if other_broker() else OwnBroker(tmp_path_factory.mktemp("conformance"))
    try:
        yield found
        found.stop()
    finally:
        found.discard()


@pytest.fixture(params=TRANSPORTS)
def transport(request):
    return request.param


@pytest.fixture
def lab(broker, transport):
    """Names and clients of this test, on the shared broker."""
    with Lab(broker, transport) as found:
        yield found


@pytest.fixture
def lab5(broker, transport):
    """As `lab`, with clients of MQTT 5."""
    with Lab5(broker, transport) as found:
        yield found


@pytest.fixture
def make_lab(tmp_path, transport):
    """`make_lab(settings)`: a Lab with a server of its own."""
    made = []

    def make(settings=None):
        broker = OwnBroker(tmp_path / f"server{len(made)}", settings)
        made.append(Lab(broker, transport))
        return made[-1]

    try:
        yield make
        for found in made:
            found.close()
            found.broker.stop()
    finally:
        for found in made:
            found.close()
            found.broker.discard()


@pytest.fixture
def own_lab(make_lab):
    """As `lab`, with a server of its own that may be restarted."""
    return make_lab()
