"""The admin API's OpenAPI document as tests use it: which operations there are, and whether an answer is as described."""

import functools
import json
import pathlib
import re

import jsonschema

PATH = pathlib.Path(__file__).resolve().parents[2] / "src" / "api" / "openapi.json"
PREFIX = "/api/v1"


@functools.lru_cache(maxsize=None)
def document():
    return json.loads(PATH.read_text())


class Operation:
    def __init__(self, method, path, described):
        self.method = method.upper()
        self.path = path
        self.described = described
        self.name = f"{self.method} {path}"
        self.role = described["x-role"]
        self.for_accounts = described.get("x-accounts", False)
        self.parameters = described.get("parameters", [])
        self.pattern = re.compile("".join("[^/]+" if part.startswith("{") else re.escape(part)
                                          for part in re.split(r"(\{[^}]*\})", path)) + r"\Z")

    def body(self):
        """(media type, schema) of the request's body, or nothing."""
        content = self.described.get("requestBody", {}).get("content", {})
        for media, described in content.items():
            return media, described["schema"]
        return None

    def responses(self, status):
        found = self.described["responses"]
        chosen = found.get(str(status), found["default"])
        return resolve(chosen).get("content", {})


@functools.lru_cache(maxsize=None)
def operations():
    return [Operation(method, path, described) for path, methods in document()["paths"].items()
            for method, described in methods.items() if "x-planned" not in described]


def resolve(value):
    while "$ref" in value:
        found = document()
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


@functools.lru_cache(maxsize=None)
def validator(text):
    # The references of a schema lead into the whole document.
    schema = {**json.loads(text), "components": document()["components"]}
    return jsonschema.Draft202012Validator(schema)


def find(method, target):
    path = target.split("?")[0].removeprefix(PREFIX)
    method = "GET" if method == "HEAD" else method
    fitting = [operation for operation in operations() if operation.method == method and operation.pattern.match(path)]
    # A literal path is meant before one with a parameter.
    return min(fitting, key=lambda operation: operation.path.count("{"), default=None)


def check_answer(method, target, status, content_type, body):
    """AssertionError when the document does not describe such an answer. Addresses that are none answer with errors."""
    media = (content_type or "").split(";")[0].strip()
    operation = find(method, target)
    if operation is None:
        assert status in (400, 401, 403, 404, 405, 413, 429, 431, 503), f"{method} {target}: {status} of nothing"
        described = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    else:
        described = operation.responses(status)
    assert media in described, f"{method} {target}: {status} with '{media}', described are {sorted(described)}"
    if method == "HEAD" or media != "application/json":
        return
    faults = sorted(validator(json.dumps(described[media]["schema"], sort_keys=True)).iter_errors(json.loads(body)),
                    key=lambda fault: list(map(str, fault.path)))
    assert not faults, (f"{method} {target} answered {status}, not as described: {faults[0].message} "
                        f"at {list(faults[0].path)}\n{body[:1000]}")
