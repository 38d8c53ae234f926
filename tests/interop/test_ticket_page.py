"""A page in headless Chromium with a ticket: what it may, where it may, and its end. It runs the lines that
`mooring ticket mint` prints."""

import json
import shutil
import time

import pytest

from harness import Lines, PRODUCT_KEY
from test_clients import HERE, find_chromium, node_packages, pins_of

PATIENCE_S = 40


@pytest.fixture(scope="module")
def browser(server, tmp_path_factory):
    assert node_packages()
    settings = {"profile": str(tmp_path_factory.mktemp("page") / "profile"), "chromium": find_chromium(),
                "pins": pins_of(server)}
    found = Lines([shutil.which("node"), HERE / "browser" / "ticket.mjs", json.dumps(settings)], stdin=True)
    found.home, found.foreign = found.until("origins ", PATIENCE_S * server.slack).split()[1:]
    yield found
    assert found.end(20) == 0, found.report()


def mint(server, device, *words):
    return server.json("ticket", "mint", "--product-key", PRODUCT_KEY, "--device-name", device.device_name, "--host",
                       "localhost", "--port", str(server.port), *words)


def start(browser, name, page, ticket, filters=(), publish=None):
    browser.say(json.dumps({"name": name, "page": page, "lines": ticket["mqttJs"], "filters": list(filters),
                            "publish": publish}))


def events(browser, name, wanted, timeout):
    """What the job tells until all of the wanted have come."""
    seen, missing = [], set(wanted)
    deadline = time.monotonic() + timeout
    while missing:
        line = browser.until(name + " ", deadline - time.monotonic())
        seen.append(line[len(name) + 1:])
        missing -= {entry for entry in missing if seen[-1].startswith(entry)}
    return seen


def test_a_page_of_its_origin_connects_and_stays_within_its_topics(server, browser):
    device, other = server.device(), server.device()
    ticket = mint(server, device, "--origin", browser.home, "--lifetime", "10m")
    assert ticket["url"].startswith("wss://")
    own, foreign = device.topic("user/up"), other.topic("user/up")
    with server.sign_in(device) as lamp:
        assert lamp.subscribe(device.topic("user/down")) == [1]
        start(browser, "good", "home", ticket, [own, foreign, "#"], [device.topic("user/down"), "from the page"])
        seen = events(browser, "good", {"connected", f"subscribed {own}", f"denied {foreign}", "denied #"},
                      PATIENCE_S * server.slack)
        assert not any(event.startswith("error") for event in seen), seen
        assert lamp.expect_publish(10).payload == b"from the page"
        lamp.publish(own, "from the lamp", qos=1)
        events(browser, "good", {f"message {own} from the lamp"}, 10)
    server.cli("ticket", "revoke", ticket["id"])
    events(browser, "good", {"closed"}, 10)


def test_a_page_of_another_origin_is_refused(server, browser):
    ticket = mint(server, server.device(), "--origin", browser.home)
    start(browser, "foreign", "foreign", ticket)
    seen = events(browser, "foreign", {"error", "closed"}, PATIENCE_S * server.slack)
    assert "error 4" in seen and "connected" not in seen
    server.wait_log("(ticket-origin)")


def test_a_page_is_disconnected_when_its_ticket_expires(server, browser):
    device = server.device()
    start(browser, "warm", "home", mint(server, device, "--origin", browser.home), [])
    events(browser, "warm", {"connected"}, PATIENCE_S * server.slack)
    lifetime_s = 6
    minted = time.monotonic()
    ticket = mint(server, device, "--origin", browser.home, "--lifetime", f"{lifetime_s}s")
    start(browser, "short", "home", ticket, [device.topic("user/up")])
    events(browser, "short", {"connected", "closed"}, PATIENCE_S * server.slack)
    took = time.monotonic() - minted
    assert lifetime_s - 1 < took < lifetime_s + 2 * server.slack, took
    start(browser, "late", "home", ticket)
    assert "error 4" in events(browser, "late", {"error"}, PATIENCE_S * server.slack)
