"""Fleet and checker together: silent about a broker without faults, loud about each fault, over crashes."""

import random

import pytest

from fake_broker import FAULTS, FakeBroker
from fleet import usual_fleet
from model import Model

RULES = {"acknowledges before storing": {"stored", "sessions", "once"}, "forgets sessions": {"sessions"},
         "forgets incoming identifiers": {"once"}, "forgets outgoing identifiers": {"once"},
         "drops a message of a queue": {"stored"}, "delivers QoS 2 twice": {"once"}, "swaps two messages": {"order"},
         "invents a message": {"truth"}, "changes a payload": {"truth"}, "delivers with the wrong QoS": {"truth"}}


class Harbour:
    """A fleet and a broker in one thread."""

    def __init__(self, fault, seed):
        self.rng = random.Random(seed)
        self.model = Model()
        self.broker = FakeBroker(fault)
        self.fleet = usual_fleet(self.model, self.rng)
        self.fleet.address = self.broker.address
        step = self.fleet.step

        def both(longest=0.0):
            self.broker.step()
            step(0.0)
        self.fleet.step = both

    def crash(self):
        for client in self.fleet.clients:  # so that there is something to lose, on however fast a machine
            if client.rate and client.online and len(client.in_flight) < client.window:
                client.publish()
                client.flush()
        while self.broker.step(self.rng):  # between storing and sending, or after both
            pass
        self.broker.crash()
        self.model.server("crashed")
        broker_step, self.broker.step = self.broker.step, lambda rng=None: True
        self.fleet.lose_server()
        self.broker.step = broker_step
        self.broker.listen()
        self.model.server("started")
        self.fleet.address = self.broker.address

    def sail(self, rounds):
        self.fleet.connect()
        for _ in range(rounds):
            for client in self.fleet.wanderers:
                if client.away:
                    client.come_back() if self.rng.random() < 0.5 else None
                elif self.rng.random() < 0.4:
                    client.leave(politely=self.rng.random() < 0.5)
            self.fleet.run(self.rng.uniform(0.02, 0.15))
            self.crash()
        self.fleet.settle(timeout=4.0)

    def close(self):
        self.fleet.close()
        self.broker.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_good_broker_is_not_accused(seed):
    harbour = Harbour("", seed)
    harbour.sail(8)
    harbour.close()
    harbour.model.check()
    counts = harbour.model.counts()
    assert counts["acknowledged"] > 100 and counts["arrived"] > 500, counts


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found(fault):
    harbour = Harbour(fault, 5)
    found = []
    for _ in range(8):  # whether a crash meets the fault depends on the moment
        harbour.sail(6)
        found = harbour.model.violations()
        if found:
            break
    harbour.close()
    assert RULES[fault] & {v.rule for v in found}, (fault, [str(v) for v in found[:3]])
    assert all(v.text for v in found)
