"""The admin API against its own OpenAPI document: what is served, who may use what, and what any input does."""

import http.client
import json
import tempfile
import urllib.parse

import hypothesis
import hypothesis.configuration
import pytest
from hypothesis import strategies

import api_document
from harness import PRODUCT_KEY, Server

ROLES = ("viewer", "operator", "admin")
hypothesis.configuration.set_hypothesis_home_dir(tempfile.gettempdir())  # what it keeps belongs to no source tree


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    found = Server(tmp_path_factory.mktemp("document")).start()
    found.seed(12)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def tokens(server):
    return {role: server.json("token", "create", f"of-{role}", "--role", role)["token"] for role in ROLES}


class Asker:
    """One connection, kept open."""

    def __init__(self, server, token=None):
        self.server = server
        self.fields = {"Authorization": f"Bearer {token}"} if token else {}
        self.connection = None

    def ask(self, method, target, body=None, media="application/json", fields=()):
        if self.connection is None:
            self.connection = http.client.HTTPSConnection("localhost", self.server.port, timeout=30,
                                                          context=self.server.tls())
        fields = {**self.fields, **dict(fields)}
        if body is not None:
            fields["Content-Type"] = media
        try:
            self.connection.request(method, target, body=body, headers=fields)
            answer = self.connection.getresponse()
            data = b"" if answer.getheader("Content-Type", "").startswith("text/event-stream") else answer.read()
        except (http.client.HTTPException, OSError):
            self.connection.close()
            self.connection = None
            raise
        if answer.getheader("Connection", "").lower() == "close" or not data and method != "HEAD":
            self.connection.close()
            self.connection = None
        api_document.check_answer(method, target, answer.status, answer.getheader("Content-Type"), data.decode())
        return answer.status, data


def test_the_document_is_served_to_everybody(server):
    for tls in (server.tls(), None):
        answer = server.http("/api/v1/openapi.json", tls=tls)
        assert answer.status == 200 and json.loads(answer.body) == api_document.document()
    assert server.http("/api/v1/openapi.json", "POST").status == 405


def test_the_document_is_what_it_says_it_is():
    assert api_document.document()["openapi"].startswith("3.1")
    for name, schema in api_document.document()["components"]["schemas"].items():
        api_document.jsonschema.Draft202012Validator.check_schema(schema)
        if schema.get("type") == "object" and "required" in schema:
            assert set(schema["required"]) <= set(schema["properties"]), name


def plain_target(operation, value="none"):
    path = operation.path
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", value)
    return api_document.PREFIX + path


def test_every_operation_by_every_role(server, tokens):
    askers = {role: Asker(server, tokens.get(role)) for role in (None, *ROLES)}
    checked = 0
    for operation in api_document.operations():
        for role, asker in askers.items():
            # A body that no operation takes: nothing is changed, and whoever is let in is told so.
            body = b"[]" if operation.method != "GET" else None
            status, _ = asker.ask(operation.method, plain_target(operation), body)
            where = f"{operation.name} as {role}: {status}"
            if operation.role == "public":
                assert status not in (403, 404, 405), where
            elif role is None:
                assert status == 401, where
                continue
            elif ROLES.index(role) < ROLES.index(operation.role):
                assert status == 403, where
            else:
                assert status not in (401, 403, 405) and status < 500, where
            checked += 1
    assert checked > 100


def test_other_methods_are_refused(server, tokens):
    asker = Asker(server, tokens["admin"])
    described = {}
    for operation in api_document.operations():
        described.setdefault(operation.path, set()).add(operation.method)
    for operation in api_document.operations():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - described[operation.path]:
            status, _ = asker.ask(method, plain_target(operation), b"{}" if method != "GET" else None)
            assert status in (404, 405), f"{method} {operation.path}: {status}"


# -- fuzzing: any value of the described types, and any other value where they are described -------------------------

ODD_TEXTS = ["", " ", "/", "..", "%00", "\x00", "#", "+", "'; DROP TABLE device; --", "<script>alert(1)</script>",
             "\u202e", "\ud7ff", "a" * 300, "true", "-1", "1e9", "null", "{}", "none", PRODUCT_KEY, "dev00000"]
texts = strategies.one_of(strategies.sampled_from(ODD_TEXTS),
                          strategies.text(strategies.characters(blacklist_categories=("Cs",)), max_size=40))
anything = strategies.recursive(
    strategies.one_of(strategies.none(), strategies.booleans(), strategies.integers(), strategies.floats(), texts),
    lambda inner: strategies.one_of(strategies.lists(inner, max_size=4), strategies.dictionaries(texts, inner, max_size=4)),
    max_leaves=6)


def values_of(schema):
    """Values that fit the schema, mostly."""
    schema = api_document.resolve(schema)
    if "oneOf" in schema:
        return strategies.one_of(*map(values_of, schema["oneOf"]))
    if "const" in schema or "enum" in schema:
        return strategies.sampled_from(schema.get("enum") or [schema["const"]])
    kind = schema.get("type")
    if kind == "string":
        return texts
    if kind == "boolean":
        return strategies.booleans()
    if kind == "integer":
        return strategies.one_of(strategies.integers(schema.get("minimum", -2), min(schema.get("maximum", 50), 50)),
                                 strategies.integers())
    if kind == "array":
        return strategies.lists(values_of(schema["items"]), max_size=4)
    if kind == "object":
        properties = {name: values_of(inner) for name, inner in schema.get("properties", {}).items()}
        needed = {name: properties.pop(name) for name in schema.get("required", [])}
        return strategies.fixed_dictionaries(needed, optional=properties)
    return anything


def bodies_of(operation):
    media, schema = operation.body()
    if media == "text/csv":
        return strategies.one_of(
            strategies.lists(strategies.lists(texts, max_size=5).map(",".join), max_size=5).map(
                lambda lines: "\r\n".join(["ProductKey,DeviceName,DeviceSecret", *lines]).encode()),
            strategies.binary(max_size=100))
    written = strategies.one_of(values_of(schema), anything).map(lambda value: json.dumps(value).encode())
    return strategies.one_of(written, written, strategies.binary(max_size=60))


@strategies.composite
def requests(draw):
    operation = draw(strategies.sampled_from(
        [operation for operation in api_document.operations() if operation.path not in ("/events", "/session")]))
    path, query = operation.path, []
    for parameter in operation.parameters:
        if parameter["in"] == "path":
            known = {"productKey": PRODUCT_KEY, "deviceName": "dev00001"}.get(parameter["name"], "none")
            value = draw(strategies.one_of(strategies.just(known), texts.filter(bool)))
            path = path.replace("{" + parameter["name"] + "}", urllib.parse.quote(value, safe=""))
        elif draw(strategies.booleans()):
            value = draw(strategies.one_of(values_of(parameter["schema"]), texts))
            query.append((parameter["name"], value if isinstance(value, str) else json.dumps(value)))
    if draw(strategies.integers(0, 9)) == 0:
        query.append((draw(texts), draw(texts)))
    target = api_document.PREFIX + path + ("?" + urllib.parse.urlencode(query) if query else "")
    hypothesis.assume(len(target) < 4000)
    body = draw(bodies_of(operation)) if operation.body() else None
    return operation, target, body


def fuzz(server, token, check, examples):
    asker = Asker(server, token)

    @hypothesis.settings(max_examples=examples, deadline=None, database=None, derandomize=True,
                         suppress_health_check=list(hypothesis.HealthCheck))
    @hypothesis.given(requests())
    def run(request):
        operation, target, body = request
        status, data = asker.ask(operation.method, target, body, (operation.body() or ("application/json",))[0])
        hypothesis.note(f"{status} {data[:300]}")
        check(operation, status, data)

    run()


def test_no_input_breaks_the_server(server, tokens):
    seen = {}

    def check(operation, status, data):
        # Resources of a running server may be busy, which is not what is looked for here.
        assert status < 500, f"{operation.name}: {status} {data[:300]}"
        seen.setdefault(operation.name, set()).add(status // 100)

    fuzz(server, tokens["admin"], check, 1500)
    assert server.alive()
    reached = [name for name, statuses in seen.items() if 2 in statuses]
    assert len(seen) > 0.8 * (len(api_document.operations()) - 5), sorted(seen)
    assert len(reached) > 8, reached


def test_strangers_get_nothing_whatever_they_send(make_server):
    server = make_server({"limits.refusals_per_address_per_minute": "0"})

    def check(operation, status, data):
        if operation.role == "public":
            return
        assert status in (401, 429), f"{operation.name}: {status} {data[:300]}"
        assert PRODUCT_KEY.encode() not in data

    fuzz(server, None, check, 300)
