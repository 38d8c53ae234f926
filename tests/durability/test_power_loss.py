"""What was acknowledged in mode `disk` is there when the disk has forgotten everything that was not synced."""

import random

from proving import DiskServer, Proof


def test_acknowledged_messages_survive_a_power_cut(tmp_path):
    proof = Proof(tmp_path, 4, power_loss=True)
    proof.run(6)
    assert proof.model.counts()["acknowledged"] > 120, proof.summary()
    mapped = proof.server.disk.mapped_files()
    assert all(name.endswith("-shm") for name in mapped), f"mapped for writing, and so judged only at a sync: {mapped}"


def test_the_disk_that_forgets_has_teeth(tmp_path):
    """In mode `process` nothing is synced, so a power cut must be seen to lose what was acknowledged."""
    proof = Proof(tmp_path, 5, "process", power_loss=True)
    try:
        proof.run(6)
    except AssertionError as error:
        assert "[stored]" in str(error) or "[sessions]" in str(error) or "[once]" in str(error), error
        return
    raise AssertionError(f"nothing was lost though nothing was synced: {proof.summary()}")


def test_devices_and_their_granted_subscriptions_survive_power_cuts(tmp_path):
    """Every command that ended with status 0, every SUBACK and UNSUBACK, over eight lives."""
    rng = random.Random(8)
    server = DiskServer(tmp_path).seed(3)
    try:
        server.start()
        old = server.device()
        made, filters = [], set()
        for life in range(8):
            made.append(server.create_device(f"made{life}"))
            client = server.sign_in(old, clean=False)
            assert client.session_present == (life > 0)
            fresh = old.topic(f"user/many/{life}")
            assert client.subscribe(fresh) == [1]
            filters.add(fresh)
            if life % 3 == 2:
                gone = rng.choice(sorted(filters))
                client.unsubscribe(gone)
                filters.remove(gone)
            server.cut_power(rng if life % 2 else None)
            client.close()
            for device in made:
                assert server.show(device)["deviceSecret"] == device.device_secret
            client = server.sign_in(old, clean=False)
            assert client.session_present == 1
            for n in range(life + 1):
                topic = old.topic(f"user/many/{n}")
                server.operator_publish(topic, str(n), qos=1)
                if topic in filters:
                    got = client.expect_publish()
                    assert (got.topic, got.payload) == (topic, b"%d" % n)
                    client.puback(got)
            client.expect_silence(0.1)
            client.disconnect()
            client.close()
        server.stop()
    finally:
        server.discard()
