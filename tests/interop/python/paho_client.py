"""Eclipse Paho for Python on tcp, tls, ws and wss. Jobs and events as in ../js/jobs.mjs."""

import json
import re
import sys
import urllib.parse

import paho.mqtt.client as mqtt

jobs = json.loads(sys.argv[1])


def report(job, *words):
    # In one piece: clients of several threads report.
    print(" ".join((job["name"], *map(str, words))) + "\n", end="", flush=True)


def start(job):
    url = urllib.parse.urlparse(job["url"])
    web = url.scheme in ("ws", "wss")
    client = mqtt.Client(job["clientId"], clean_session=False, protocol=mqtt.MQTTv311,
                         transport="websockets" if web else "tcp")
    client.username_pw_set(job["username"], job["password"])
    if web:
        client.ws_set_options(path=url.path or "/")
    if job.get("ca"):
        client.tls_set(job["ca"])
    client.reconnect_delay_set(1, 1)
    state = {"connects": 0}

    def talk():
        client.publish(job["topic"], f"connect {state['connects']} höre", qos=1)

    def on_connect(_client, _data, _flags, code):
        if code:
            report(job, "refused", code)
            client.disconnect()
            return
        state["connects"] += 1
        if state["connects"] == 1:
            client.subscribe(job["topic"], qos=1)
        else:
            talk()

    def on_subscribe(_client, _data, _number, granted):
        report(job, *(["subscribed"] if granted[0] == 1 else ["failed", "granted", granted[0]]))
        talk()

    def on_message(_client, _data, message):
        report(job, "echo", re.sub(r"^connect (\d+)", r"\1", message.payload.decode()))

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect_async(url.hostname, url.port, 60)
    client.loop_start()
    return client


clients = [start(job) for job in jobs]
sys.stdin.read()
for index, client in enumerate(clients):
    client.disconnect()
    client.loop_stop()
    report(jobs[index], "bye")
