"""Registration as devices do it: what they sign and send, and reading what they get."""

import hashlib
import hmac
import json

from rawclient import connect_packet

METHODS = {"hmacmd5": hashlib.md5, "hmacsha1": hashlib.sha1, "hmacsha256": hashlib.sha256}


def sign_registration(product_secret, device_name, product_key, random, method="hmacsha256"):
    content = f"deviceName{device_name}productKey{product_key}random{random}"
    return hmac.new(product_secret.encode(), content.encode(), METHODS[method]).hexdigest()


def register_packet(product_key, product_secret, device_name, auth_type="register", random="567345",
                    method="hmacsha256", level=4, client_id=None, keep_alive=60, upper=False):
    password = sign_registration(product_secret, device_name, product_key, random, method)
    if client_id is None:
        client_id = f"{device_name}.{product_key}|securemode=2,authType={auth_type},random={random},signmethod={method}|"
    return connect_packet(client_id, f"{device_name}&{product_key}", password.upper() if upper else password,
                          keep_alive, True, level)


def read_answer(client):
    """(code, None) of a refusal, (0, payload) of a registration."""
    answer = client.receive()
    assert answer.raw[0] == 0x20, answer
    if answer.body[1]:
        assert client.wait_closed() == []
        return answer.body[1], None
    push = client.receive()
    size = int.from_bytes(push.body[:2], "big")
    assert push.raw[0] == 0x30 and push.body[2:2 + size].startswith(b"/ext/reg")
    return 0, json.loads(push.body[2 + size:])


def register(server, *arguments, transport="tls", **options):
    with server.client(transport) as client:
        client.send(register_packet(*arguments, **options))
        found = read_answer(client)
        client.disconnect()
        return found
