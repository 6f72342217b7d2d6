"""What the tests of tokens share: a server that asks for them, and its administrator."""

import json
import re
import sqlite3
import sys
import pathlib
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from conftest import Arc  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
ADMIN = "an-administrator-for-the-tests-0123456789"
LIMIT_S = 60  # of what must come soon; only a test that hangs waits so long


def bearer(token):
    return {"Authorization": f"Bearer {token}"} if token else {}


class Guarded:
    """A server with auth.enabled whose first administrator is ADMIN."""

    def __init__(self, arc):
        self.arc = arc

    def call(self, method, path, body=None, token=ADMIN, headers=None):
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        return self.arc.request(method, path, body, {**bearer(token), **(headers or {})})

    def make(self, name, permissions=None, **fields):
        """A new token's text and number. Past the endpoint, which allows ten a minute: by `arc token`'s own way."""
        import conftest
        args = ["token", "create", name, "--data", str(self.arc.data), "--json"]
        if permissions is not None:
            args += ["--permissions", permissions]
        for option, value in fields.items():
            args += ["--" + option.replace("_", "-"), value]
        r = conftest.run_arc(*args)
        assert r.returncode == 0, r.stderr
        made = json.loads(r.stdout)
        return made["token"], made["id"]

    def sql(self, text, *values):
        """Straight into the store, as another program would."""
        db = sqlite3.connect(self.arc.data / "arc.db", timeout=30)
        with db:
            db.execute(text, values)
        db.close()

    def wait_status(self, token, status, path="/api/v1/auth/verify"):
        until = time.monotonic() + LIMIT_S
        while (a := self.arc.get(path, bearer(token))).status != status:
            assert time.monotonic() < until, a
        return a

    def query(self, sql, token=ADMIN, database=None, status=200):
        a = self.call("POST", "/api/v1/query", {"sql": sql}, token,
                      {"x-arc-database": database} if database else None)
        assert a.status == status, a
        return a.json()

    def write(self, database, lines, token=ADMIN, headers=None):
        return self.call("POST", f"/write?db={database}", lines, token, headers)


def start(data, env=None, **more):
    return Guarded(Arc(data, {"AUTH_ENABLED": "true", "ARC_HOST": "127.0.0.1", "ARC_AUTH_BOOTSTRAP_TOKEN": ADMIN,
                              **(env or {})}, **more))


def routes():
    """(methods, path, permission) of every line of routes.def."""
    text = (ROOT / "src/server/http/routes.def").read_text()
    found = re.findall(r'^X\(([A-Z_| ]+), "([^"]+)", (\w+),', text, re.M)
    assert len(found) == len(re.findall(r"^X\(", text, re.M)) > 50
    return [([m.strip().removeprefix("ARKA_") for m in methods.split("|")], path, permission)
            for methods, path, permission in found]
