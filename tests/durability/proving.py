"""Rounds of traffic and death: a server that is killed or whose power is cut, a fleet, and the checker."""

import random
import threading
import time

from disk import Disk
from fleet import usual_fleet
from harness import Server
from model import Model

ACCOUNT = "lab"
LAB_SETTINGS = {
    "listener.anonymous_account": ACCOUNT,
    "limits.profile": "open",
    "server.threads": "2",
    # Clients stay away for rounds: what waits for them must fit.
    "mqtt.max_queued_messages": "1000000",
    "mqtt.max_queued_bytes": "1073741824",
}
FIRST_MOMENT_S, LAST_MOMENT_S = 0.005, 0.4
SETTLE_EVERY = 4    # rounds
GRACEFUL_EVERY = 7  # rounds


class DiskServer(Server):
    """A server on a `Disk` when it is asked for. What is in the data folder at the first start is on the disk."""

    def __init__(self, folder, settings=None, on_disk=True):
        super().__init__(folder, settings)
        self.disk = Disk(self.data) if on_disk else None

    def command(self):
        return self.disk.wrap(super().command()) if self.disk else super().command()

    def cut_power(self, rng=None):
        """Kills the server, takes away what was not synced and starts it again."""
        self.kill()
        self.disk.cut_power(rng)
        return self.start()


class LabServer(DiskServer):
    """A server whose clients all act as one account that may do everything."""

    def __init__(self, folder, mode="disk", on_disk=False, settings=None):
        super().__init__(folder, {**LAB_SETTINGS, "durability.mode": mode, **(settings or {})}, on_disk)
        self.cli("account", "create", ACCOUNT, "--password", "P", "--allow", "all:#")


class Proof:
    """One server, one fleet, any number of rounds. The seed decides everything but the scheduling of the processes."""

    def __init__(self, folder, seed, mode="disk", power_loss=False, rate=150.0):
        self.seed, self.mode, self.power_loss = seed, mode, power_loss
        self.rng = random.Random(seed)
        self.model = Model()
        self.server = LabServer(folder, mode, on_disk=power_loss)
        self.fleet = usual_fleet(self.model, self.rng, rate)
        self.round = 0
        self.restart_s = 0.0  # the longest time that a start took

    def start(self):
        began = time.monotonic()
        self.server.start(timeout=30 * self.server.slack)
        self.restart_s = max(self.restart_s, time.monotonic() - began)
        self.model.server("started")
        self.fleet.address = self.server.address

    def run(self, rounds, progress=None):
        """AssertionError with the seed and the first violations when a promise was broken."""
        try:
            self.start()
            self.fleet.connect()
            for _ in range(rounds):
                self.round += 1
                what = self.one_round()
                if self.round % SETTLE_EVERY == 0 or self.round == rounds:
                    self.settle()
                if progress:
                    progress(self, what)
            self.server.stop()
        except AssertionError as error:
            raise AssertionError(f"seed {self.seed}, mode {self.mode}, round {self.round}: {error}\n"
                                 f"data: {self.server.data}\nend of the log: {self.server.log()[-2000:]}") from None
        finally:
            self.fleet.close()
            self.server.discard()

    def one_round(self):
        self.move_wanderers()
        if self.rng.random() < 0.5:
            self.fleet.connect(30.0)  # otherwise death may come while clients return
        delay = self.rng.uniform(FIRST_MOMENT_S, LAST_MOMENT_S)
        graceful = self.mode == "memory" or self.round % GRACEFUL_EVERY == 0
        what = f"{'ended by SIGTERM' if graceful else 'killed by SIGKILL'} after {delay * 1000:.0f} ms"
        self.end_server(delay, graceful)
        if self.power_loss:
            what += self.cut_power()
        self.model.server(what)
        self.start()
        return what

    def move_wanderers(self):
        for client in self.fleet.wanderers:
            if client.away and self.rng.random() < 0.4:
                client.come_back()
            elif not client.away and self.rng.random() < 0.4:
                client.leave(politely=self.rng.random() < 0.5)

    def end_server(self, delay, graceful):
        """The end comes from another thread, so that it may find the fleet and the server in the middle of anything."""
        process, failures = self.server.process, []

        def end():
            time.sleep(delay)
            if process.poll() is not None:
                failures.append(AssertionError(f"the server ended by itself with status {process.returncode}"))
            try:
                self.server.stop() if graceful else self.server.kill()
            except AssertionError as error:
                failures.append(error)

        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                self.fleet.step()
        finally:
            thread.join()
        if failures:
            raise failures[0]
        self.fleet.lose_server()
        self.server.check_log()

    def cut_power(self):
        partly = self.rng.random() < 0.5
        self.server.disk.cut_power(self.rng if partly else None)
        return ", power cut" + (" in the middle of writing back" if partly else "")

    def settle(self):
        self.fleet.settle(timeout=20.0 * self.server.slack)
        self.model.check()
        stuck = [c.name for c in self.fleet.clients if c.in_flight]
        assert not stuck, f"messages of {', '.join(stuck)} were never answered; {self.fleet.report()}"
        refused = [f"{c.name} ({', '.join(f'0x{code:02x}' for code in c.refused_codes)})"
                   for c in self.fleet.clients if c.refused_codes]
        assert not refused, f"{', '.join(refused)} were refused something"

    def summary(self):
        counts = self.model.counts()
        return (f"{counts['published']} published, {counts['acknowledged']} acknowledged, {counts['arrived']} arrived, "
                f"slowest start {self.restart_s:.2f} s")
