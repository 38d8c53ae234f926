"""A well-behaved device in a process of its own: measures its round trips until told to stop.

Arguments: host, port, client id, user name, password, topic. Prints "ready", and at the end of its input the longest
round trip in milliseconds and how many there were.
"""

import select
import sys
import time

from rawclient import Mqtt


def main():
    host, port, client_id, username, password, topic = sys.argv[1:]
    client = Mqtt((host, int(port)), "tcp", timeout=20)
    _, code = client.connect(client_id, username, password, timeout=20)
    assert code == 0, code
    assert client.subscribe(topic, qos=0, timeout=20) == [0]
    print("ready", flush=True)
    longest, count = 0.0, 0
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        start = time.monotonic()
        client.publish(topic, b"%d" % count)
        assert client.expect_publish(30).payload == b"%d" % count
        longest = max(longest, time.monotonic() - start)
        count += 1
    print(f"{longest * 1000:.1f} {count}", flush=True)


main()
