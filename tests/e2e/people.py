"""Somebody who signs in to the console: a session with its cookie and its second secret."""

import json
import re

import api_document


class Person:
    """`ask` answers (status, body); the cookie and the token of the session go along."""

    def __init__(self, server, tls=True):
        self.server = server
        self.tls = tls
        self.name = "__Host-mooring_session" if tls else "mooring_session"
        self.cookie = None
        self.browser = None  # what this browser keeps of having signed in
        self.csrf = None

    def ask(self, method, path, body=None, headers=(), csrf=True):
        lines = list(headers)
        if body is not None and not any(line.lower().startswith("content-type:") for line in lines):
            lines.append("Content-Type: application/json")
        kept = [f"{name}={value}" for name, value in ((self.name, self.cookie), ("mooring_browser", self.browser)) if value]
        if kept:
            lines.append("Cookie: other=1; " + "; ".join(kept))
        if self.csrf and csrf and method != "GET":
            lines.append(f"X-CSRF-Token: {self.csrf}")
        answer = self.server.http(f"{api_document.PREFIX}/{path}", method, tls=self.server.tls() if self.tls else None,
                                  headers=lines, body=json.dumps(body).encode() if body is not None else b"")
        self.last = answer
        for line in answer.headers.get("set-cookie", []):
            name, value = re.match(r"([^=]*)=([^;]*)", line).groups()
            if name == "mooring_browser":
                self.browser_line, self.browser = line, value
            else:
                assert name == self.name
                self.cookie_line, self.cookie = line, value or None
        found = json.loads(answer.body)
        if answer.status == 200 and "csrfToken" in found:
            self.csrf = found["csrfToken"] or None
        return answer.status, found

    def sign_in(self, user, password, headers=()):
        return self.ask("POST", "session", {"user": user, "password": password}, headers)


def first_password(server):
    """What `serve` printed at its first start."""
    line = server.wait_log("Sign in as user admin with password")
    return line.split()[-1]


def signed_in(server, password="another password", tls=True):
    """The first user, behind the change of the first password."""
    person = Person(server, tls)
    status, session = person.sign_in("admin", first_password(server))
    assert status == 200 and session["mustChangePassword"], session
    status, session = person.ask("POST", "session/password", {"current": first_password(server), "new": password})
    assert status == 200 and not session["mustChangePassword"], session
    return person
