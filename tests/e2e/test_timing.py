"""The test of the tests: what timing.py sees in samples whose delays are known."""

import random

import pytest

from timing import LEAK_S, NOISY_LEAK_S, is_sharp, measure, told_apart, with_delay

KINDS = ("reference", "the same again", "method", "unknown device")


def samples(seed, rounds, stalls=0.05):
    """As a busy machine gives them: 300 microseconds, a skewed spread of some ten, drift, and now and then a stall."""
    chance = random.Random(seed)
    times = {kind: [] for kind in KINDS}
    for number in range(rounds):
        drift = 0.000_100 * (number / rounds) + chance.uniform(0, 0.000_020)  # common to the round
        for kind in KINDS:
            stall = chance.expovariate(1 / 0.005) if chance.random() < stalls else 0
            times[kind].append(0.000_300 + drift + chance.lognormvariate(-10.5, 0.6) + stall)
    return times


@pytest.mark.parametrize("stalls", [0, 0.05, 0.2])
def test_alike_is_alike(stalls):
    for seed in range(100):
        assert told_apart(samples(seed, 200, stalls), "reference") == {}, seed


@pytest.mark.parametrize("stalls", [0, 0.05, 0.2])
@pytest.mark.parametrize("sign", [1, -1])
def test_fifty_microseconds_are_seen(stalls, sign):
    for seed in range(100):
        times = samples(seed, 200, stalls)
        assert is_sharp(times, "reference")
        for kind in KINDS[1:]:
            assert list(told_apart(with_delay(times, kind, sign * LEAK_S), "reference")) == [kind], seed


def test_a_doctor_on_the_way_of_the_answer_is_seen():
    """Three milliseconds, and only for those cases of a second that its budget lasts for: every tenth would escape a
    comparison of medians, but two in three do not."""
    for seed in range(20):
        times = samples(seed, 200)
        chance = random.Random(seed)
        times["method"] = [t + (0.003 if chance.random() < 0.67 else 0) for t in times["method"]]
        assert "method" in told_apart(times, "reference"), seed


def test_noise_is_not_taken_for_silence():
    """Where the spread is too large to see a leak, that is said; more rounds help."""
    chance = random.Random(1)

    def loud(_):
        return 0.001 + chance.gauss(0, 0.000_300)

    few = {kind: [loud(0) for _ in range(50)] for kind in KINDS}
    assert not is_sharp(few, "reference")
    louder = {kind: [10 * t for t in times] for kind, times in few.items()}
    assert not is_sharp(louder, "reference", leak=NOISY_LEAK_S)
    many = measure({kind: loud for kind in KINDS}, "reference", rounds=200, rounds_max=20_000)
    assert is_sharp(many, "reference") and len(many["reference"]) > 200


def test_a_machine_too_loud_for_the_rounds_gets_more():
    """Forty in a hundred answers milliseconds late, as on a machine that builds beside the tests: the rounds meant for
    a small leak do not even show a large one, and those that follow do."""
    chance = random.Random(7)

    def busy(_):
        return chance.uniform(0.000_100, 0.000_400) + (chance.uniform(0, 0.006) if chance.random() < 0.4 else 0)

    taken = []
    for _ in range(20):
        times = measure({kind: busy for kind in KINDS}, "reference", rounds=40, rounds_max=120)
        assert is_sharp(times, "reference", leak=NOISY_LEAK_S) and told_apart(times, "reference") == {}
        taken.append(len(times["reference"]))
    assert 120 < max(taken) <= 480, taken
