"""The table: what is run, which figure of the result counts, and where the bar is."""

import dataclasses

DELIVERY = "serverCpuMicrosecondsPerDelivery"
PUBLISHED = "serverCpuMicrosecondsPerPublished"
CONNECT = "serverCpuMicrosecondsPerConnect"
MEMORY = "userBytesPerConnection"


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    text: str
    scheme: str
    words: tuple  # of mooring-bench, without where and as whom
    figure: str = DELIVERY
    # The bar as it was set, on another day: of the best peer then, of the limit then, and to be reached.
    peer: float = 0
    limit: float = 0
    goal: float = 0
    key_type: str = "ecdsa"  # of the certificate

    @property
    def unit(self):
        return "bytes" if self.figure == MEMORY else "us"

    @property
    def qos(self):
        return int(self.words[self.words.index("--qos") + 1]) if "--qos" in self.words else 0


def _row(key, text, scheme, words, *bar, figure=DELIVERY, **more):
    return Row(key, text, scheme, tuple(words.split()), figure, *bar, **more)


ROWS = (
    _row("pairs-q0", "100 pairs, QoS 0, 16 in flight", "ws", "pairs -n 100 --window 16", 1.60, 0.40, 0.6),
    _row("pairs-q1", "100 pairs, QoS 1, 16 in flight", "ws", "pairs -n 100 --window 16 --qos 1", 2.40, 0.75, 1.1),
    _row("pairs-q2", "20 pairs, QoS 2, 8 in flight", "ws", "pairs -n 20 --window 8 --qos 2", 6.3, 0, 3),
    _row("pairs-1k", "100 pairs, QoS 0, 1 KiB, 16 in flight", "ws", "pairs -n 100 --window 16 --payload 1024",
         3.81, 0.72, 1.1),
    _row("lone-q0", "1,000 pairs, QoS 0, one in flight", "ws", "pairs -n 1000 --window 1", 15.1, 9.8, 11.7),
    _row("lone-q1", "1,000 pairs, QoS 1, one in flight", "ws", "pairs -n 1000 --window 1 --qos 1", 26.6, 16.6, 20),
    _row("fanout-q0-2", "1 to 1,000, QoS 0, 2 in flight", "ws", "fanout -n 1000 --window 2", 5.5, 6.5, 5.4),
    _row("fanout-q0-16", "1 to 1,000, QoS 0, 16 in flight", "ws", "fanout -n 1000 --window 16", 1.16, 0.43, 0.62),
    _row("fanout-q1-2", "1 to 1,000, QoS 1, 2 in flight", "ws", "fanout -n 1000 --window 2 --qos 1", 8.0, 5.4, 6.5),
    _row("fanin-q0", "500 to 1, QoS 0, 2 in flight", "ws", "fanin -n 500 --window 2", 3.1, 2.7, 2.9),
    _row("fanin-q1", "500 to 1, QoS 1, 2 in flight", "ws", "fanin -n 500 --window 2 --qos 1", 7.7, 3.7, 5.1),
    _row("ingest-q0", "500 publishers, nobody subscribed, QoS 0, 16 in flight", "ws", "ingest -n 500 --window 16",
         1.12, 0.42, 0.6, figure=PUBLISHED),
    _row("ingest-q1", "1,000 publishers, nobody subscribed, QoS 1, one in flight", "ws",
         "ingest -n 1000 --window 1 --qos 1", 10.4, 7.1, 8.5, figure=PUBLISHED),
    _row("rate-q0", "500 pairs at 5,000 messages a second, QoS 0", "ws", "pairs -n 500 --rate 5000", 41, 34, 38),
    _row("rate-q1", "500 pairs at 5,000 messages a second, QoS 1", "ws", "pairs -n 500 --rate 5000 --qos 1", 54, 42, 48),
    _row("wss-pairs-q0", "100 pairs, QoS 0, 16 in flight", "wss", "pairs -n 100 --window 16", 1.88, 0.74, 1.05),
    _row("wss-lone-q0", "1,000 pairs, QoS 0, one in flight", "wss", "pairs -n 1000 --window 1", 21.7, 17.6, 19.5),
    _row("connect-ws", "connect and CONNACK", "ws", "connect -n 1000 --opening 16", 43, 25, 43, figure=CONNECT),
    _row("connect-wss", "connect, whole handshake, ECDSA P-256", "wss", "connect -n 1000 --opening 16",
         379, 383, 395, figure=CONNECT),
    _row("connect-rsa", "connect, whole handshake, RSA-2048", "wss", "connect -n 1000 --opening 16",
         557, 519, 560, figure=CONNECT, key_type="rsa"),
    _row("connect-resumed", "connect, TLS session resumed", "wss", "connect -n 64 --opening 16 --resume",
         figure=CONNECT),
    _row("idle-ws", "memory per idle connection", "ws", "idle -n 4000", 5100, 500, 2500, figure=MEMORY),
    _row("idle-wss", "memory per idle connection", "wss", "idle -n 4000", 19200, 14400, 16500, figure=MEMORY),
)
