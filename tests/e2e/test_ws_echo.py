"""The WebSocket code by itself: `ws_echo` against cases in the style of the general conformance suites.

Everything RFC 6455 says about a server that echoes: frame sizes, pings, reserved bits and opcodes, fragments, UTF-8
and the closing handshake.
"""

import struct
import subprocess
import time

import pytest

from harness import find_program, free_port
from rawclient import Closed, Stream, WebSocket, frame

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    """Address of a running ws_echo."""
    program = find_program("ws_echo")
    log = tmp_path_factory.mktemp("ws_echo") / "log"
    port = free_port()
    with open(log, "wb") as out:
        process = subprocess.Popen([program, "--port", str(port)], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        while True:
            try:
                Stream(("127.0.0.1", port)).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        yield "127.0.0.1", port
        assert process.poll() is None, f"ws_echo ended: {log.read_text()}"
    finally:
        process.terminate()
        process.wait(10)
    for word in ("Sanitizer", "runtime error:"):
        assert word not in log.read_text()


@pytest.fixture
def ws(echo):
    found = WebSocket(Stream(echo), path="/", protocols=())
    yield found
    found.close()


def receive_message(ws, timeout=10):
    """(opcode, payload) of the next message; the echo may come in fragments."""
    opcode, data = None, b""
    deadline = time.monotonic() + timeout
    while True:
        while (found := ws._cut_frame()) is None:
            ws.data += ws.stream.receive(deadline - time.monotonic())
        kind, payload, fin, rsv = found
        assert rsv == 0
        if kind >= 8:
            return kind, payload
        opcode = kind if opcode is None else opcode
        data += payload
        if fin:
            return opcode, data


def still_works(ws):
    ws.send_frame(TEXT, b"still here")
    assert receive_message(ws) == (TEXT, b"still here")


SIZES = [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
def test_echo_of_every_length_form(ws, opcode, size):
    payload = (b"*" if opcode == TEXT else b"\xfe") * size
    ws.send_frame(opcode, payload)
    assert receive_message(ws) == (opcode, payload)


@pytest.mark.parametrize("chop", [1, 2, 3, 997])
def test_echo_in_chops(ws, chop):
    data = frame(TEXT, b"*" * 2000)
    for at in range(0, len(data), chop):
        ws.send(data[at:at + chop])
    assert receive_message(ws) == (TEXT, b"*" * 2000)


@pytest.mark.parametrize("key", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"])
def test_masks(ws, key):
    for size in range(0, 20):
        ws.send_frame(BINARY, bytes(range(size)), key=key)
        assert receive_message(ws) == (BINARY, bytes(range(size)))


def test_two_messages_in_a_write(ws):
    ws.send(frame(TEXT, b"one") + frame(BINARY, b"two") + frame(TEXT, b""))
    assert [receive_message(ws) for _ in range(3)] == [(TEXT, b"one"), (BINARY, b"two"), (TEXT, b"")]


# ---- pings -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [b"", b"Hello, world!", b"\x00\xff\xfe\xfd", b"\xfe" * 125])
def test_ping(ws, payload):
    ws.send_frame(PING, payload)
    assert receive_message(ws) == (PONG, payload)


def test_ping_byte_by_byte(ws):
    for byte in frame(PING, b"\xfe" * 125):
        ws.send(bytes([byte]))
    assert receive_message(ws) == (PONG, b"\xfe" * 125)


def test_ten_pings(ws):
    ws.send(b"".join(frame(PING, b"payload %d" % i) for i in range(10)))
    assert [receive_message(ws) for _ in range(10)] == [(PONG, b"payload %d" % i) for i in range(10)]


def test_unasked_pong(ws):
    ws.send_frame(PONG, b"unasked")
    ws.send_frame(PING, b"asked")
    assert receive_message(ws) == (PONG, b"asked")


# ---- errors of framing -----------------------------------------------------------------------------------------------


def ends_with(ws, code):
    """Everything before the end, after asserting the close code."""
    before = []
    while True:
        kind, payload = receive_message(ws)
        if kind == CLOSE:
            break
        before.append((kind, payload))
    assert struct.unpack(">H", payload[:2])[0] == code
    payload[2:].decode()
    try:
        ws.send_frame(CLOSE, payload[:2])
        ws.stream.wait_closed()
    except Closed:
        pass
    return before


BAD_FRAMES = {
    "ping of 126 bytes": frame(PING, b"\xfe" * 126),
    "no mask": frame(TEXT, b"x", masked=False),
    "length with the highest bit": b"\x82\xff" + struct.pack(">Q", 1 << 63) + bytes(4),
    **{f"rsv {n}": frame(TEXT, b"x", rsv=n) for n in range(1, 8)},
    **{f"rsv {n} on a ping": frame(PING, b"x", rsv=n) for n in (1, 2, 4)},
    "rsv on a close": frame(CLOSE, struct.pack(">H", 1000), rsv=1),
    **{f"opcode {n}": frame(n, b"") for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "opcode 5 with payload": frame(5, b"reserved"),
    "fragmented ping": frame(PING, b"a", fin=False) + frame(CONTINUATION, b"b"),
    "fragmented pong": frame(PONG, b"a", fin=False) + frame(CONTINUATION, b"b"),
    "fragmented close": frame(CLOSE, b"", fin=False),
    "last continuation of nothing": frame(CONTINUATION, b"x"),
    "continuation of nothing": frame(CONTINUATION, b"x", fin=False) + frame(TEXT, b"y"),
    "text inside a message": frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    "binary inside a text message": frame(TEXT, b"a", fin=False) + frame(BINARY, b"b", fin=False),
    "continuation after the end": frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b") + frame(CONTINUATION, b"c"),
}


@pytest.mark.parametrize("name", BAD_FRAMES)
def test_bad_frame(ws, name):
    ws.send(BAD_FRAMES[name])
    before = ends_with(ws, 1002)
    assert before in ([], [(TEXT, b"ab")])


def test_good_messages_before_the_bad_frame_are_echoed(ws):
    ws.send(frame(TEXT, b"good") + frame(7, b"bad"))
    assert ends_with(ws, 1002) == [(TEXT, b"good")]


# ---- fragments -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chop", [None, 1])
@pytest.mark.parametrize("parts", [[b"frag", b"ment"], [b"", b"x", b""], [b"", b"", b""], [b"a"] * 50],
                         ids=["two", "empty ends", "all empty", "fifty"])
def test_fragments(ws, parts, chop):
    data = b"".join(frame(CONTINUATION if i else TEXT, part, fin=i == len(parts) - 1) for i, part in enumerate(parts))
    for at in range(0, len(data), chop or len(data)):
        ws.send(data[at:at + (chop or len(data))])
    assert receive_message(ws) == (TEXT, b"".join(parts))
    still_works(ws)


def test_pings_between_fragments(ws):
    ws.send(frame(TEXT, b"a", fin=False) + frame(PING, b"1") + frame(CONTINUATION, b"b", fin=False) + frame(PING, b"2")
            + frame(PONG, b"") + frame(CONTINUATION, b"c"))
    assert [receive_message(ws) for _ in range(3)] == [(PONG, b"1"), (PONG, b"2"), (TEXT, b"abc")]


def test_large_message_in_fragments(ws):
    part = b"*" * 4096
    for i in range(64):
        ws.send_frame(CONTINUATION if i else BINARY, part, fin=i == 63)
    assert receive_message(ws) == (BINARY, part * 64)


# ---- UTF-8 -----------------------------------------------------------------------------------------------------------

VALID = ["Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "\u0000", "\u007f", "\u0080", "\u07ff", "\u0800", "\ud7ff", "\ue000",
         "\ufffd", "\uffff", "\U00010000", "\U0010ffff", "\ufdd0", "\U0001fffe", "𝄞 music"]
INVALID = {
    "lone continuation": "80", "lone continuation bf": "bf", "two continuations": "80bf", "c0 alone": "c020",
    "e0 alone": "e020", "f0 alone": "f020", "last byte missing of two": "c3", "last byte missing of three": "e282",
    "last byte missing of four": "f09d84", "in the middle": "cebae1bdb9cf83cebcceb5eda080656469746564",
    "fe": "fe", "ff": "ff", "fefeffff": "fefeffff",
    "overlong slash 2": "c0af", "overlong slash 3": "e080af", "overlong slash 4": "f08080af",
    "overlong 5": "f8808080af",
    "overlong 6": "fc80808080af", "overlong c1bf": "c1bf", "overlong e09fbf": "e09fbf", "overlong f08fbfbf": "f08fbfbf",
    "overlong zero": "c080", "surrogate d800": "eda080", "surrogate db7f": "edadbf", "surrogate dc00": "edb080",
    "surrogate dfff": "edbfbf", "surrogate pair": "eda080edb080", "above the last": "f4908080",
    "five bytes": "f888808080",
    "six bytes": "fc8480808080", "f5": "f5808080",
}


@pytest.mark.parametrize("value", VALID, ids=range(len(VALID)))
def test_valid_utf8(ws, value):
    data = value.encode("utf-8")
    ws.send_frame(TEXT, data)
    assert receive_message(ws) == (TEXT, data)
    for at in range(1, len(data)):  # code points cut between fragments
        ws.send(frame(TEXT, data[:at], fin=False) + frame(CONTINUATION, data[at:]))
        assert receive_message(ws) == (TEXT, data)
    for at, byte in enumerate(data):
        ws.send_frame(CONTINUATION if at else TEXT, bytes([byte]), fin=at == len(data) - 1)
    assert receive_message(ws) == (TEXT, data)


@pytest.mark.parametrize("name", INVALID)
@pytest.mark.parametrize("cut", ["whole", "fragments"])
def test_invalid_utf8_closes_with_1007(ws, name, cut):
    data = "κόσμε".encode() + bytes.fromhex(INVALID[name])
    if cut == "whole":
        ws.send_frame(TEXT, data)
    else:
        for at, byte in enumerate(data):
            try:
                ws.send_frame(CONTINUATION if at else TEXT, bytes([byte]), fin=at == len(data) - 1)
            except Closed:
                break  # the server need not wait for the end
    assert ends_with(ws, 1007) == []


@pytest.mark.parametrize("name", INVALID)
def test_binary_needs_no_utf8(ws, name):
    data = bytes.fromhex(INVALID[name])
    ws.send_frame(BINARY, data)
    assert receive_message(ws) == (BINARY, data)


# ---- closing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
                                  4000, 4999])
def test_close_codes_that_may_be_used(ws, code):
    ws.send_frame(CLOSE, struct.pack(">H", code))
    kind, payload = receive_message(ws)
    assert (kind, struct.unpack(">H", payload[:2])[0]) in [(CLOSE, code), (CLOSE, 1000)]
    ws.stream.wait_closed()
    assert not ws.stream.reset


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_close_codes_that_must_not_be_used(ws, code):
    ws.send_frame(CLOSE, struct.pack(">H", code))
    assert ends_with(ws, 1002) == []


def test_close_without_a_code(ws):
    ws.send_frame(CLOSE)
    kind, payload = receive_message(ws)
    assert kind == CLOSE and payload in (b"", struct.pack(">H", 1000))
    ws.stream.wait_closed()


def test_close_with_one_byte(ws):
    ws.send_frame(CLOSE, b"\x03")
    ends_with(ws, 1002)


def test_close_with_the_longest_reason(ws):
    ws.send_frame(CLOSE, struct.pack(">H", 1000) + b"*" * 123)
    assert receive_message(ws)[0] == CLOSE


def test_close_with_too_long_a_reason(ws):
    ws.send_frame(CLOSE, struct.pack(">H", 1000) + b"*" * 124)
    ends_with(ws, 1002)


def test_close_reason_that_is_not_utf8(ws):
    ws.send_frame(CLOSE, struct.pack(">H", 1000) + bytes.fromhex("cebae1bdb9cf83cebcceb5eda080"))
    ends_with(ws, 1007)


def test_nothing_is_answered_after_the_close(ws):
    ws.send(frame(CLOSE, struct.pack(">H", 1000)) + frame(PING, b"late") + frame(TEXT, b"late"))
    assert receive_message(ws)[0] == CLOSE
    assert ws.stream.wait_closed() == b"" and not ws.data


def test_close_inside_a_fragmented_message(ws):
    ws.send(frame(TEXT, b"fragment", fin=False) + frame(CLOSE, struct.pack(">H", 1000)) + frame(CONTINUATION, b"ed"))
    assert receive_message(ws)[0] == CLOSE


def test_many_small_messages(ws):
    """A thousand messages in flight come back in order."""
    sent = [b"%d" % i for i in range(1000)]
    ws.send(b"".join(frame(TEXT, s) for s in sent))
    assert [receive_message(ws)[1] for _ in sent] == sent
