"""PINGREQ and PINGRESP: chapter 3.12 and 3.13."""

from lab import statement


@statement("MQTT-3.12.4-1")
def test_pingreq_is_answered(lab):
    client = lab.connect()
    client.send(b"\xc0\x00")
    client.expect_raw(b"\xd0\x00")


@statement("MQTT-3.12.4-1")
def test_every_one_of_many_pingreqs_is_answered(lab):
    client = lab.connect()
    client.send(b"\xc0\x00" * 100)
    for _ in range(100):
        client.expect_raw(b"\xd0\x00")
    client.expect_still_open()
