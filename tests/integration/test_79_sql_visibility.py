"""SQL with a token that may see a part: what it may not see is not there, in every answer, for every format, cached or not."""
import json

import pytest

ADMIN = "admin-" + "0123456789abcdef" * 3
MAGIC = "MAGIC-5d1c"
FORMATS = ["/api/v1/query", "/api/v1/query/arrow", "/api/v1/query/msgpack", "/api/v1/query/csv", "/api/v1/query/stream",
           "/api/v1/query/estimate"]


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Shop:
    """default.cpu and all of shared may be seen; default.ledger and all of vault may not."""

    def __init__(self, arc, hidden):
        self.arc = arc
        lines = {"default": "cpu,host=a v=1 1\ncpu,host=b v=2 2\n", "shared": "mem used=1i 1\n"}
        if hidden:
            lines["default"] += f'ledger,canary={MAGIC} salary=99 1\n'
            lines["vault"] = f'ledger,canary={MAGIC} salary=98 1\ndisk,canary={MAGIC} salary=97 1\n'
        for database, text in lines.items():
            assert arc.request("POST", f"/write?db={database}&precision=us", text, bearer(ADMIN)).status == 204
        self.limited = self.token("limited", ["read"], ["default.cpu", "shared"])
        self.reader = self.token("reader", ["read"], None)
        if hidden:  # an administrator asks: the views, the plans and the answers are there
            for sql in ("SELECT * FROM vault.ledger", "SELECT * FROM default.ledger", "SELECT * FROM vault.disk", "SHOW TABLES FROM vault",
                        "SELECT * FROM information_schema.tables"):
                for _ in range(2):
                    assert self.ask(sql, ADMIN).status == 200

    def token(self, name, permissions, scope):
        body = {"name": name, "permissions": permissions}
        if scope is not None:
            body["scope"] = scope
        a = self.arc.request("POST", "/api/v1/auth/tokens", json.dumps(body), bearer(ADMIN))
        assert a.status in (200, 201), a
        return a.json()["token"]

    def ask(self, sql, token, path="/api/v1/query", database=None):
        return self.arc.query_raw(sql, database, path, bearer(token))

    def rows(self, sql, token=None):
        a = self.ask(sql, token or self.limited)
        assert a.status == 200, (sql, a)
        return a.json()["data"]


def shop(arc_start_module, hidden):
    return Shop(arc_start_module({"ARC_AUTH_ENABLED": "true", "ARC_AUTH_DEFAULT_TOKEN": ADMIN}), hidden)


@pytest.fixture(scope="module")
def hidden(arc_start_module):
    return shop(arc_start_module, True)


@pytest.fixture(scope="module")
def absent(arc_start_module):
    return shop(arc_start_module, False)


STATEMENTS = [
    "SELECT * FROM {t}", "SELECT count(*) FROM {t}", "DESCRIBE {t}", "SUMMARIZE {t}", "EXPLAIN SELECT * FROM {t}", "SELECT * FROM cpu, {t}",
    "SELECT * FROM nowhere.none, {t}", "SELECT * FROM {t}, nowhere.none", "SELECT (SELECT max(salary) FROM {t})",
    "WITH x AS (FROM {t}) SELECT 1", "SELECT * FROM cpu WHERE v IN (SELECT salary FROM {t})", "SELECT column_name FROM (DESCRIBE {t})",
    "SELECT {t}.salary FROM cpu", "SELECT 1::{t}", "SELECT {t}('x')", "SELECT vault.upper('x')", "SELECT salary FROM cpu",
    "SELECT ledger FROM cpu", "SHOW DATABASES", "SHOW TABLES", "SHOW TABLES FROM vault", "SHOW TABLES FROM _arc",
    "SELECT table_schema, table_name FROM information_schema.tables ORDER BY ALL", "SELECT column_name FROM information_schema.columns ORDER BY ALL",
    "SELECT schema_name FROM information_schema.schemata ORDER BY ALL", "SELECT database, table_name FROM _arc.tables ORDER BY ALL",
    "SELECT database, table_name FROM _arc.slices ORDER BY ALL", "SELECT database, table_name FROM _arc.files ORDER BY ALL",
    "SELECT * FROM _arc.settings", "SELECT * FROM _arc.metrics", "SELECT current_schema()"]


def spoken(answer):
    """An answer without what is another each time."""
    body = answer.body.partition(b"execution_time_ms")[0].decode(errors="replace")
    if answer.headers.get("content-type", "").startswith("application/json"):
        members = answer.json()
        for name in ("execution_time_ms", "timestamp", "request_id", "query_id"):
            members.pop(name, None)
        body = json.dumps(members, sort_keys=True)
    return answer.status, body


@pytest.mark.parametrize("statement", STATEMENTS)
def test_hidden_is_answered_as_absent(hidden, absent, statement):
    for table in ("vault.ledger", "vault.disk", "default.ledger", "VAULT.Ledger", "ledger") if "{t}" in statement else ("",):
        sql = statement.replace("{t}", table)
        for path in FORMATS:
            for database in (None, "vault"):
                a, b = (s.ask(sql, s.limited, path, database) for s in (hidden, absent))
                assert MAGIC not in a.body.decode(errors="replace")
                assert spoken(a) == spoken(b), (sql, path, database)


@pytest.mark.parametrize("path", ["/api/v1/query/ledger?database=vault", "/api/v1/query/ledger", "/api/v1/query/disk?database=vault",
                                  "/api/v1/query/ledger/csv?database=vault", "/api/v1/query/cpu?where=v%20IN%20(SELECT%20salary%20FROM%20vault.ledger)",
                                  "/api/v1/query/cpu?columns=salary"])
def test_reading_without_sql(hidden, absent, path):
    a, b = (s.arc.request("GET", path, b"", bearer(s.limited)) for s in (hidden, absent))
    assert a.status in (400, 403, 404)
    assert spoken(a) == spoken(b)


def test_what_may_be_seen_is_seen(hidden):
    assert hidden.rows("SELECT host, v FROM cpu ORDER BY v") == [["a", 1.0], ["b", 2.0]]
    assert hidden.rows("SELECT used FROM shared.mem") == [[1]]
    assert hidden.rows("SHOW DATABASES") == [["default"], ["shared"]]
    assert [r[1] for r in hidden.rows("SHOW TABLES")] == ["cpu"]
    assert hidden.rows("SELECT database, table_name FROM _arc.tables ORDER BY ALL") == [["default", "cpu"], ["shared", "mem"]]
    assert [r[0] for r in hidden.rows("SELECT DISTINCT database FROM _arc.slices ORDER BY 1", ADMIN)] == ["default", "shared", "vault"]


def test_an_answer_remembered_for_another_is_not_given(hidden):
    for sql in ("SELECT canary FROM vault.ledger", "SELECT count(*) AS n FROM vault.ledger", "SELECT canary FROM default.ledger"):
        for _ in range(3):
            assert hidden.ask(sql, ADMIN).status == 200
            a = hidden.ask(sql, hidden.limited)
            assert (a.status, a.json()["code"]) == (404, "table_not_found"), a


def test_queries_of_others_are_for_administrators(hidden):
    marks = {"limited": hidden.limited, "reader": hidden.reader, "default": ADMIN}
    for name, token in marks.items():
        assert hidden.ask(f"SELECT 'mark of {name}' AS m", token).status == 200
    seen = "SELECT DISTINCT sql FROM _arc.queries WHERE sql LIKE 'SELECT ''mark of%' ORDER BY 1"
    for name, token in (("limited", hidden.limited), ("reader", hidden.reader)):
        assert hidden.rows(seen, token) == [[f"SELECT 'mark of {name}' AS m"]]
    assert len(hidden.rows(seen, ADMIN)) == 3
    for table in ("settings", "metrics"):
        assert hidden.rows(f"SELECT count(*) FROM _arc.{table}", hidden.reader) == [[0]]
        assert hidden.rows(f"SELECT count(*) > 10 FROM _arc.{table}", ADMIN) == [[True]]


def test_no_secret_is_in_the_settings(hidden):
    a = hidden.ask("SELECT * FROM _arc.settings", ADMIN)
    assert ADMIN not in a.body.decode()
    assert hidden.rows("SELECT value FROM _arc.settings WHERE key = 'auth.default_token'", ADMIN) == [["***"]]


def test_refused_writes_about_hidden_tables(hidden):
    body = 'cpu v="text" 1\n'
    assert hidden.arc.request("POST", "/write?db=default", body, bearer(ADMIN)).status == 400
    assert hidden.arc.request("POST", "/write?db=vault", f'ledger salary="{MAGIC}" 1\n', bearer(ADMIN)).status == 400
    sql = "SELECT DISTINCT database FROM _arc.rejected_writes ORDER BY 1"
    for _ in range(300):  # they are recorded soon after
        a = hidden.ask(sql, ADMIN)
        if a.status == 200 and len(a.json()["data"]) == 2:
            break
    assert hidden.rows(sql, ADMIN) == [["default"], ["vault"]]
    assert hidden.rows(sql) == [["default"]]
    assert hidden.rows("SELECT count(*) FROM _arc.rejected_writes WHERE sample LIKE '%MAGIC%' OR reason LIKE '%vault%'") == [[0]]
    assert hidden.rows("SELECT count(*) FROM _arc.rejected_writes WHERE CASE WHEN database = 'vault' THEN error(sample) ELSE true END") == [[1]]
    a = hidden.ask("EXPLAIN SELECT * FROM _arc.rejected_writes", hidden.limited)
    assert (a.status, a.json()["code"]) == (400, "forbidden_sql")
