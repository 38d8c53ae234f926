"""What was acknowledged survives the death of the server. Many more rounds: run-long."""

import pytest

from proving import Proof


@pytest.mark.parametrize("mode, rounds, seed", [("disk", 12, 1), ("process", 8, 2)])
def test_acknowledged_messages_survive_sigkill(tmp_path, mode, rounds, seed):
    proof = Proof(tmp_path, seed, mode)
    proof.run(rounds)
    assert proof.model.counts()["acknowledged"] > 20 * rounds, proof.summary()


def test_in_memory_mode_they_survive_sigterm(tmp_path):
    proof = Proof(tmp_path, 3, "memory")
    proof.run(3)
    assert proof.model.counts()["acknowledged"] > 60, proof.summary()
