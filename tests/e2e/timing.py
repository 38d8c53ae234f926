"""Whether kinds of attempts can be told apart by how long they take.

Kinds are measured in rounds, each kind once a round in a shuffled order, so that whatever the machine does hits all
alike. Of two kinds the differences within each round are looked at: their median, and an interval that holds the true
one with 999 chances in 1,000, whatever the distribution (order statistics of the binomial). Kinds are told apart when
that interval lies wholly beyond the tolerance.

tests/e2e/test_timing.py shows on samples with known delays what this can see.
"""

import math
import random
import time

Z = 3.3  # standard deviations: 999 in 1,000
TOLERANCE_S = 0.000_020
LEAK_S = 0.000_050  # what is to be seen: a fiftieth of what an inline search of the doctor would take
NOISY_LEAK_S = 0.000_300  # what must be seen, however noisy the machine is: a tenth of it


def interval(differences):
    """(low, high) of the median of the differences."""
    ordered = sorted(differences)
    middle = len(ordered) / 2
    reach = Z * math.sqrt(len(ordered)) / 2
    low, high = math.floor(middle - reach), math.ceil(middle + reach)
    assert 0 <= low and high < len(ordered), "too few rounds"
    return ordered[low], ordered[high]


def against(times, reference):
    """Of each other kind the interval of its difference to the reference."""
    return {kind: interval([a - b for a, b in zip(taken, times[reference])])
            for kind, taken in times.items() if kind != reference}


def told_apart(times, reference, tolerance=TOLERANCE_S):
    """The kinds that surely take longer or shorter than the reference, by more than the tolerance."""
    return {kind: (low, high) for kind, (low, high) in against(times, reference).items()
            if low > tolerance or high < -tolerance}


def with_delay(times, kind, delay):
    return {**times, kind: [t + delay for t in times[kind]]}


def is_sharp(times, reference, tolerance=TOLERANCE_S, leak=LEAK_S):
    """Whether a kind that took `leak` longer, or shorter, would be told apart in these samples."""
    return all(kind in told_apart(with_delay(times, kind, delay), reference, tolerance)
               for kind in times if kind != reference for delay in (leak, -leak))


def measure(kinds, reference, slack=1.0, rounds=100, rounds_max=1000, pause=0.0):
    """Seconds of each kind, in as many rounds as it takes to see a small leak, at most `rounds_max`; on a machine so
    noisy that these would not even show a large one, in up to four times as many until they do. `kinds`: functions of
    the round's number that return the seconds they took. `pause`: seconds between two rounds."""
    order = random.Random(1)
    times = {kind: [] for kind in kinds}
    while True:
        for _ in range(rounds):
            names = list(kinds)
            order.shuffle(names)
            number = len(times[reference])
            for kind in names:
                times[kind].append(kinds[kind](number))
            time.sleep(pause)
        taken = len(times[reference])
        leak = LEAK_S if taken < rounds_max else NOISY_LEAK_S
        if is_sharp(times, reference, TOLERANCE_S * slack, leak * slack) or taken >= 4 * rounds_max:
            return times


def assert_alike(kinds, reference, slack=1.0, **rounds):
    """Fails when a kind is told apart, and when the machine was so noisy that not even a large leak would have been
    seen. Measures until a small one would be, as far as the rounds reach."""
    times = measure(kinds, reference, slack, **rounds)
    shown = {kind: tuple(round(s * 1e6) for s in both) for kind, both in against(times, reference).items()}
    print(f"{len(times[reference])} rounds, differences to '{reference}' in microseconds: {shown}")
    assert not told_apart(times, reference, TOLERANCE_S * slack), shown
    assert is_sharp(times, reference, TOLERANCE_S * slack, NOISY_LEAK_S * slack), f"too noisy to see a leak: {shown}"
