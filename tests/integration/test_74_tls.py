"""HTTPS: everything that HTTP does, certificates of both sides, and new ones without a restart."""

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

from conftest import Arc

WAIT_S = 60


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


def make_authority(folder, name):
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", key, "-out", cert, "-addext", "basicConstraints=critical,CA:TRUE")
    return key, cert


def make_certificate(folder, name, authority, usage="serverAuth"):
    key, request, cert, extensions = (folder / f"{name}.{e}" for e in ("key", "csr", "pem", "ext"))
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    extensions.write_text(f"subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={usage}\n")
    openssl("x509", "-req", "-in", request, "-CA", authority[1], "-CAkey", authority[0], "-days", "2", "-out", cert, "-extfile", extensions)
    return key, cert


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    authority, other = make_authority(folder, "authority"), make_authority(folder, "other")
    return {"folder": folder, "authority": authority, "server": make_certificate(folder, "server", authority),
            "next": make_certificate(folder, "next", authority), "client": make_certificate(folder, "client", authority, "clientAuth"),
            "stranger": make_certificate(folder, "stranger", other, "clientAuth"), "wrong_use": make_certificate(folder, "wrong_use", authority)}


def trusting(pki, cert=None):
    context = ssl.create_default_context(cafile=str(pki["authority"][1]))
    if cert:
        context.load_cert_chain(str(pki[cert][1]), str(pki[cert][0]))
    return context


class SecureArc(Arc):
    """The same server and the same requests, with TLS between them."""

    context = None

    def __init__(self, data, context, env):
        self.context = context
        super().__init__(data, env)

    def connect(self, context=None):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=WAIT_S, context=context or self.context)

    def request(self, method, path, body=None, headers=None):
        from conftest import Answer
        c = self.connect()
        try:
            c.request(method, path, body.encode() if isinstance(body, str) else body, headers or {})
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read())
        finally:
            c.close()

    def socket(self, context=None):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return (context or self.context).wrap_socket(raw, server_hostname="127.0.0.1")

    def wait_for_log(self, pattern, since=0):
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            if any(re.search(pattern, line) for line in self.stderr[since:]):
                return
            time.sleep(0.01)
        raise AssertionError(f"{pattern} is not in the log:\n" + "".join(self.stderr[since:]))


def settings(pki, **more):
    values = {"tls_enabled": "true", "tls_key_file": pki["server"][0], "tls_cert_file": pki["server"][1], **more}
    return {f"ARC_SERVER_{k.upper()}": str(v) for k, v in values.items()}


@pytest.fixture
def start(tmp_path, pki):
    started = []

    def start(context=None, log="debug", **more):
        arc = SecureArc(tmp_path / f"data{len(started)}", context or trusting(pki), {**settings(pki, **more), "LOG_LEVEL": log})
        started.append(arc)
        return arc

    yield start
    for arc in started:
        if arc.process.returncode is None:
            arc.stop()


@pytest.fixture(scope="module")
def arc(tmp_path_factory, pki):
    arc = SecureArc(tmp_path_factory.mktemp("tls"), trusting(pki), {**settings(pki, body_timeout=2), "LOG_LEVEL": "debug",
                                                                    "MAX_REQUEST_SIZE_MB": "1"})
    yield arc
    arc.stop()


def rest(s):
    got = b""
    try:
        while part := s.recv(1 << 16):
            got += part
    except (ConnectionResetError, ssl.SSLEOFError):
        pass
    return got


def test_writes_queries_and_streams(arc):
    assert arc.url.startswith("https://")
    assert arc.post("/write?db=default", "tls,host=a v=1\ntls,host=b v=2").status == 204
    assert arc.rows("SELECT sum(v) FROM tls") == [[3]]
    large = arc.query_raw("SELECT 'abcdefghij' AS t, range AS n FROM range(200000)", path="/api/v1/query/stream")
    assert large.status == 200 and large.body.count(b"\r\n") == 200001


def test_what_browsers_are_told(arc, arc_module):
    assert arc.get("/health").headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in arc_module.get("/health").headers


def test_many_requests_on_one_connection_some_of_which_wait(arc):
    c = arc.connect()
    for i in range(50):
        c.request("POST", "/write?db=default", f"kept v={i}")
        r = c.getresponse()
        assert (r.status, r.read()) == (204, b"")
        c.request("POST", "/api/v1/query", json.dumps({"sql": f"SELECT {i}"}))
        assert json.loads(c.getresponse().read())["data"] == [[i]]
    c.close()


def test_pipelined_requests_that_come_in_one_record(arc):
    with arc.socket() as s:
        s.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n" * 20 + b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = rest(s)
    assert got.count(b"HTTP/1.1 204") == 20 and got.count(b"HTTP/1.1 200") == 1


def test_a_body_larger_than_a_record_and_a_chunked_one(arc):
    lines = "\n".join(f"big,host=h{i} v={i}" for i in range(20000))
    assert arc.post("/write?db=default", lines).status == 204
    assert arc.rows("SELECT count(*) FROM big") == [[20000]]
    with arc.socket() as s:
        s.sendall(b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        for piece in (b"pieces v=1\n", b"pieces,host=b v=2\n"):
            s.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        s.sendall(b"0\r\n\r\n")
        assert rest(s).startswith(b"HTTP/1.1 204")
    assert arc.rows("SELECT sum(v) FROM pieces") == [[3]]


def test_a_refusal_in_the_middle_of_a_body_reaches_the_client(arc):
    with arc.socket() as s:
        s.sendall(b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        try:
            for _ in range(100):
                s.sendall(b"x" * 10000)
        except OSError:
            pass
        got = rest(s)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ") and json.loads(body)["code"] == "too_large"


def test_a_slow_body_is_given_up_with_an_answer(arc):
    with arc.socket() as s:
        s.sendall(b"POST /write?db=default HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nslow ")
        got = rest(s)
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ") and b"\r\nRetry-After: 1\r\n" in head
    assert json.loads(body)["error"].startswith("the request body came too slowly")


def test_a_client_that_leaves_cancels_its_query(arc):
    s = arc.socket()
    body = json.dumps({"sql": "SELECT count(*) FROM range(1000000000000) a WHERE a.range % 7 = 3"}).encode()
    s.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    mark = len(arc.stderr)
    s.close()
    arc.wait_for_log(r"POST /api/v1/query \d+", since=mark)


def test_old_versions_and_plain_http_are_not_spoken(arc, pki):
    old = trusting(pki)
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        arc.socket(old)
    for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
        now = trusting(pki)
        now.minimum_version = now.maximum_version = version
        with arc.socket(now) as s:
            assert s.version() == version.name.replace("_", ".")
    with socket.create_connection(("127.0.0.1", arc.port), timeout=WAIT_S) as s:
        s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP" not in rest(s)
    assert arc.get("/health").status == 200


def test_handshakes_that_do_not_go_on_are_ended_and_hold_up_nobody(start):
    arc = start(header_timeout=1, idle_timeout=3)
    silent = [socket.create_connection(("127.0.0.1", arc.port), timeout=WAIT_S) for _ in range(200)]
    for s in silent[:100]:
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # the beginning of a hello
    assert arc.get("/health").status == 200
    for s in silent:
        assert b"HTTP" not in rest(s)
        s.close()
    assert arc.get("/health").status == 200


def test_client_certificates_that_are_required(start, pki):
    arc = start(trusting(pki, "client"), tls_client_auth="required", tls_client_ca_file=pki["authority"][1])
    assert arc.get("/health").status == 200
    arc.wait_for_log(r"client_certificate.*CN=client")
    for cert in None, "stranger", "wrong_use":
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            context = trusting(pki, cert)
            context.minimum_version = context.maximum_version = version
            with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                c = arc.connect(context)
                c.request("GET", "/health")
                c.getresponse()


def test_client_certificates_that_are_optional(start, pki):
    arc = start(tls_client_auth="optional", tls_client_ca_file=pki["authority"][1])
    assert arc.get("/health").status == 200
    arc.context = trusting(pki, "client")
    assert arc.get("/health").status == 200
    arc.wait_for_log(r"client_certificate.*CN=client")
    arc.context = trusting(pki, "stranger")
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        arc.get("/health")
    arc.context = trusting(pki)


def peer_name(arc):
    with arc.socket() as s:
        return dict(pair[0] for pair in s.getpeercert()["subject"])["commonName"]


def test_a_new_certificate_is_used_without_a_restart(start, pki, tmp_path):
    key, cert = tmp_path / "live.key", tmp_path / "live.pem"

    def use(name):
        key.write_bytes(pki[name][0].read_bytes())
        cert.write_bytes(pki[name][1].read_bytes())

    use("server")
    arc = start(tls_key_file=key, tls_cert_file=cert)
    assert peer_name(arc) == "server"
    kept = arc.connect()
    kept.request("GET", "/health")
    kept.getresponse().read()
    old = kept.sock
    stop = threading.Event()
    failed = []

    def go_on():
        while not stop.is_set():
            try:
                assert arc.get("/health").status == 200
            except Exception as e:
                failed.append(e)

    others = [threading.Thread(target=go_on) for _ in range(2)]
    for t in others:
        t.start()
    use("next")
    mark = len(arc.stderr)
    arc.process.send_signal(signal.SIGHUP)
    arc.wait_for_log(r"certificate CN=next", mark)
    assert peer_name(arc) == "next"
    cert.write_text("no certificate")
    mark = len(arc.stderr)
    arc.process.send_signal(signal.SIGHUP)
    arc.wait_for_log(r"tls.*live\.pem.*cannot be used.*what was read before", mark)
    assert peer_name(arc) == "next"
    use("server")
    key.unlink()
    mark = len(arc.stderr)
    arc.process.send_signal(signal.SIGHUP)
    arc.wait_for_log(r"tls.*live\.key.*cannot be read", mark)
    assert peer_name(arc) == "next"
    kept.request("POST", "/api/v1/query", json.dumps({"sql": "SELECT 7"}))
    assert json.loads(kept.getresponse().read())["data"] == [[7]] and kept.sock is old
    stop.set()
    for t in others:
        t.join()
    assert failed == []


@pytest.mark.parametrize("more,says", [
    ({"tls_cert_file": "/nowhere.pem"}, "server.tls_cert_file '/nowhere.pem' cannot be read"),
    ({"tls_cert_file": ""}, "server.tls_cert_file is empty"),
    ({"tls_key_file": "KEY_OF_ANOTHER"}, "is not the key of"),
    ({"tls_client_auth": "required"}, "needs server.tls_client_ca_file"),
    ({"tls_client_auth": "perhaps"}, "server.tls_client_auth"),
    ({"tls_client_auth": "optional", "tls_client_ca_file": __file__}, "server.tls_client_ca_file"),
    ({"tls_priorities": "NORMAL:+NONSENSE"}, "server.tls_priorities = 'NORMAL:+NONSENSE'"),
    ({"tls_priorities": "NORMAL:-VERS-ALL:+VERS-TLS1.0"}, "leaves no version of TLS"),
], ids=lambda v: next(iter(v)) if isinstance(v, dict) else "")
def test_what_cannot_be_used_stops_the_start(arc_run, tmp_path, pki, more, says):
    more = {k: pki["client"][0] if v == "KEY_OF_ANOTHER" else v for k, v in more.items()}
    done = arc_run("serve", "--port", "0", "--data", str(tmp_path / "data"), env=settings(pki, **more))
    assert done.returncode in (1, 78) and says in done.stderr, done.stderr


def test_the_verbs_notice_http(arc_start, arc_run):
    url = arc_start().url
    done = arc_run("query", "--url", url.replace("http:", "https:"), "SELECT 1")
    assert (done.returncode, "Does it speak http, not https?" in done.stderr) == (1, True), done


def test_the_verbs_speak_https(arc, arc_run, pki):
    url, ca = arc.url, str(pki["authority"][1])
    ok = arc_run("query", "--url", url, "--ca", ca, "--format", "json", "SELECT 40 + 2")
    assert ok.returncode == 0 and json.loads(ok.stdout)["data"] == [[42]]
    assert arc_run("query", "--url", url, "--format", "json", "SELECT 1", env={"ARC_CA": ca}).returncode == 0
    assert arc_run("query", "--url", url, "--insecure", "SELECT 1").returncode == 0
    unknown = arc_run("query", "--url", url, "SELECT 1")
    assert unknown.returncode == 1 and "--ca FILE" in unknown.stderr
    named = arc_run("query", "--url", url.replace("127.0.0.1", "127.0.0.2"), "--ca", ca, "SELECT 1")
    assert named.returncode == 1
    plain = arc_run("query", "--url", url.replace("https", "http"), "SELECT 1")
    assert (plain.returncode, "does it want https?" in plain.stderr) == (1, True), plain
    written = arc_run("write", "--url", url, "--ca", ca, "-", stdin="verbs v=5\n")
    assert written.returncode == 0, written.stderr
    assert arc.rows("SELECT v FROM verbs") == [[5]]
    large = arc_run("query", "--url", url, "--ca", ca, "--format", "csv", "SELECT range FROM range(100000)")
    assert large.returncode == 0 and len(large.stdout.split()) == 100001


def test_the_verbs_show_a_certificate(start, arc_run, pki):
    arc = start(trusting(pki, "client"), tls_client_auth="required", tls_client_ca_file=pki["authority"][1])
    base = ("query", "--url", arc.url, "--ca", str(pki["authority"][1]))
    shown = arc_run(*base, "--cert", str(pki["client"][1]), "--key", str(pki["client"][0]), "SELECT 1")
    assert shown.returncode == 0, shown.stderr
    without = arc_run(*base, "SELECT 1")
    assert without.returncode == 1 and without.stderr
