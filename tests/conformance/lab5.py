"""What a test of MQTT 5 works with: `lab.Lab` with clients of version 5."""

from lab import Lab
from wire5 import Client, connect, props

# Long enough for every test, short enough that a broker used by many runs forgets the sessions soon.
STORED_S = 120


def stored(seconds=STORED_S):
    """The properties of a CONNECT whose session outlives its connection."""
    return props(session_expiry_interval=seconds)


class Lab5(Lab):
    """`connect` gives a client past CONNACK, `open` one that has sent nothing."""

    def open(self, kind=Client, transport=None, **options):
        return super().open(kind, transport, **options)

    def connect(self, name="", session_present=False, client_id=None, transport=None, **fields):
        """A client whose CONNECT was accepted; `fields` are those of wire5.connect."""
        client = self.attempt(name, client_id, transport, **fields)
        client.expect_connack(session_present=session_present)
        return client

    def attempt(self, name="", client_id=None, transport=None, **fields):
        """A client that has sent its CONNECT and read nothing."""
        client = self.open(transport=transport)
        client.client_id = self.client_id(name) if client_id is None else client_id
        client.send(connect(client.client_id, **fields))
        return client

    def stored(self, name="", seconds=STORED_S, properties=b"", **fields):
        """`connect` for a session that outlives its connection."""
        return self.connect(name, properties=stored(seconds) + properties, **fields)

    def resume(self, name="", **fields):
        """Goes on with the stored session of this name."""
        return self.stored(name, clean=False, session_present=True, **fields)

    def raw(self, data):
        """A client that has sent these bytes and nothing else."""
        client = self.open()
        client.send(data)
        return client

    def after_connect(self, data, **fields):
        """A connected client that has sent these bytes."""
        client = self.connect(client_id="", **fields)
        client.send(data)
        return client

    def fence(self, publisher, subscriber):
        """Makes everything that `publisher` sent before arrive at `subscriber` before this returns.

        A last message on the same way must be the next to arrive, so anything else that comes is a failure.
        """
        topic = self.topic(f"fence/{subscriber.new_id()}")
        subscriber.subscribed(topic)
        publisher.publish(topic, b"fence")
        subscriber.expect_message(topic, b"fence")
        subscriber.unsubscribe(topic)
