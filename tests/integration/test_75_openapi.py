"""The API document: as many paths as the route table, valid, and shown by pages that need nobody else."""

import http.client
import json
import pathlib
import re
import shutil
import subprocess

import pytest
from openapi_spec_validator import validate

ROOT = pathlib.Path(__file__).resolve().parents[2]
PERMISSIONS = {"NONE": "none", "ANY": "any", "READ": "read", "WRITE": "write", "DELETE": "delete", "ADMIN": "admin"}


def route_table():
    """(method, path) -> (permission, handler) of src/server/http/routes.def."""
    found = {}
    text = (ROOT / "src" / "server" / "http" / "routes.def").read_text()
    for methods, path, permission, handler in re.findall(r'^X\(([A-Z_ |]+), "([^"]*)", (\w+), \w+, \w+, (\w+),', text, re.M):
        for method in methods.replace("ARKA_", "").split("|"):
            found[method.strip().lower(), path] = PERMISSIONS[permission], handler
    assert len(found) == len(re.findall(r"ARKA_[A-Z]+(?= \||,)", "\n".join(line for line in text.splitlines() if line.startswith("X("))))
    return found


ROUTES = route_table()


@pytest.fixture(scope="module")
def document(arc_module):
    answer = arc_module.get("/openapi.json")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    return answer.json()


def operations(document):
    return {(method, path): op for path, item in document["paths"].items() for method, op in item.items()}


def test_it_is_valid(document):
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_it_has_the_routes_and_no_others(document):
    assert len(ROUTES) > 60
    ops = operations(document)
    assert set(ops) == set(ROUTES)
    for key, op in ops.items():
        permission, _ = ROUTES[key]
        assert op["x-permission"] == permission, key
        assert (op.get("security") == []) == (permission == "none"), key
        assert {p["name"] for p in op["parameters"] if p["in"] == "path"} == set(re.findall(r"{(\w+)}", key[1])), key
        assert op["summary"] and op["summary"] != "The same", key
        assert {"401", "403"} <= set(op["responses"]) or permission == "none", key


def test_every_operation_has_a_name_of_its_own(document):
    names = [op["operationId"] for op in operations(document).values()]
    assert len(set(names)) == len(names)


def test_every_row_about_a_route_is_about_one_that_is_there():
    text = (ROOT / "src" / "server" / "docs" / "api.def").read_text()
    named = set(re.findall(r"^(?:PARAM|BODY|ANSWER|HEADER|QUERY_HEADERS|SELECT_PARAMETERS)\((\w+)[,)]", text, re.M))
    assert named - {handler for _, handler in ROUTES.values()} == set()


def test_what_writes_and_asks_says_what_it_reads(document):
    ops = operations(document)
    for path, media in [("/api/v1/query", "application/json"), ("/write", "text/plain"), ("/api/v1/write/msgpack", "application/msgpack")]:
        assert media in ops["post", path]["requestBody"]["content"], path
        assert {"413", "503"} <= set(ops["post", path]["responses"])
        assert ("408" in ops["post", path]["responses"]) is (path == "/api/v1/query")


def test_head_is_get_without_a_body(arc_module):
    paths = sorted(path for method, path in ROUTES if method == "get")
    assert len(paths) > 30
    for path in paths:
        path = path.replace("{measurement}", "nothing").replace("{database}", "default").replace("{type}", "system")
        path = re.sub(r"{\w+}", "1", path)
        got, head = arc_module.get(path), arc_module.request("HEAD", path)
        assert (head.status, head.body) == (got.status, b""), path
        assert head.headers["Content-Type"] == got.headers["Content-Type"], path
        options = arc_module.request("OPTIONS", path)
        assert (options.status, options.body) == (204, b"") and {"GET", "HEAD", "OPTIONS"} <= set(options.headers["Allow"].split(", ")), path


def test_answers_are_as_described(arc_module, document):
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
    registry = Registry().with_resource("urn:doc", Resource.from_contents({**document, "$schema": "https://json-schema.org/draft/2020-12/schema"}))

    def check(answer, name):
        Draft202012Validator({"$ref": f"urn:doc#/components/schemas/{name}"}, registry=registry).validate(answer.json())

    check(arc_module.get("/"), "Root")
    check(arc_module.get("/health"), "Health")
    check(arc_module.get("/ready"), "Ready")
    check(arc_module.query_raw("SELECT 1 AS a, NULL AS b"), "Result")
    check(arc_module.query_raw("SELECT 1", path="/api/v1/query/estimate"), "Estimate")
    check(arc_module.query_raw("SELEC"), "QueryError")
    check(arc_module.get("/nothing"), "Error")
    check(arc_module.request("PUT", "/health"), "Error")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/"])
def test_the_page_needs_nobody_else(arc_module, path):
    answer = arc_module.get(path)
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    text = answer.body.decode()
    policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
    nonce = policy["script-src"].strip("'").removeprefix("nonce-")
    assert policy == {"default-src": "'none'", "script-src": f"'nonce-{nonce}'", "style-src": f"'nonce-{nonce}'", "connect-src": "'self'",
                      "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
    assert re.findall(r"<(script|style)([^>]*)>", text) == [("style", f' nonce="{nonce}"'), ("script", f' nonce="{nonce}"')]
    assert not re.findall(r"""(?:src|href)\s*[=:]\s*["'](?!/openapi\.json|#)""", text) and "//" not in re.sub(r"<!doctype[^>]*>", "", text)
    assert not re.search(r"""\son\w+\s*=|\sstyle\s*=|innerHTML|eval\(""", text) and "prefers-color-scheme: dark" in text
    assert nonce not in arc_module.get(path).body.decode()


BROWSER = """
class Node {
  constructor(name) { this.name = name; this.children = []; this.attributes = {}; this.listeners = {}; this.dataset = {}; }
  setAttribute(k, v) { this.attributes[k] = v; }
  append(...c) { this.children.push(...c); }
  replaceChildren(...c) { this.children = c; }
  addEventListener(k, f) { this.listeners[k] = f; }
  get firstChild() { return this.children[0]; }
  get text() { return this.children.map(c => c instanceof Node ? c.text : String(c)).join(" "); }
  all(name) { return this.children.flatMap(c => c instanceof Node ? [...(c.name === name ? [c] : []), ...c.all(name)] : []); }
}
const ids = {};
globalThis.document = { createElement: n => new Node(n), getElementById: id => id ? ids[id] ??= new Node(id) : null, querySelectorAll: () => [] };
globalThis.location = { origin: "http://x", hash: "" };
const doc = JSON.parse(require("fs").readFileSync(process.argv[2]));
globalThis.fetch = async () => ({ json: async () => doc });
eval(require("fs").readFileSync(process.argv[3], "utf8"));
setTimeout(() => {
  for (const details of ids.main.all("details")) { details.open = true; details.listeners.toggle(); }
  console.log(JSON.stringify({ text: ids.main.text, sections: ids.main.all("section").length, links: ids.list.all("a").length,
    curls: ids.main.all("pre").map(p => p.text).filter(t => t.startsWith("curl")) }));
}, 10);
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_the_page_shows_every_operation(arc_module, document, tmp_path):
    page = arc_module.get("/docs").body.decode()
    (tmp_path / "doc.json").write_text(json.dumps(document))
    (tmp_path / "page.js").write_text(re.search(r"<script[^>]*>(.*)</script>", page, re.S)[1])
    (tmp_path / "browser.js").write_text(BROWSER)
    done = subprocess.run(["node", "browser.js", "doc.json", "page.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["sections"] == shown["links"] == len(shown["curls"]) == len(ROUTES)
    assert "Cancel a query" in shown["text"] and "undefined" not in shown["text"]
    assert any("--data-binary 'cpu,host=a usage=1.5'" in c for c in shown["curls"])


def test_the_page_and_the_document_are_public_and_blind(arc_module):
    for path in "/docs", "/redoc", "/openapi.json":
        c = http.client.HTTPConnection("127.0.0.1", arc_module.port, timeout=60)
        c.request("GET", path, headers={"Authorization": "Bearer wrong"})
        assert c.getresponse().status == 200
        c.close()
