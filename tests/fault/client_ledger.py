"""What clients sent and what they were told, row by row, and whether a server holds exactly that."""

import gzip
import threading

import msgpack

T0 = 1767607200  # 2026-01-05T10:00:00Z
TABLES = 3


class Request:
    """Some rows with ids of their own, in one body. state: 'sent' (no answer came), 'acked', 'refused'."""

    def __init__(self, rng, ids, tables, key):
        self.parts = []  # (table, ids)
        n_tables = rng.choice([1, 1, 1, 2]) if len(ids) > 1 else 1
        cut = rng.randrange(1, len(ids)) if n_tables == 2 else len(ids)
        self.form = rng.choice(["line", "line", "columns", "rows", "gzip"])
        for part in (ids[:cut], ids[cut:]):
            if part:
                self.parts.append((rng.choice(tables), part))
        self.headers = {}
        self.key = key
        if key:
            self.headers["Idempotency-Key"] = key
        # `memory` promises nothing; the two others survive the end of the process
        self.durability = rng.choices(["synced", "written", "memory"], [8, 2, 1])[0]
        if self.durability != "synced":
            self.headers["x-arc-durability"] = self.durability
        self.state = "new"
        self.lsn = None
        self.path, self.body = self.encode()

    def encode(self):
        if self.form in ("line", "gzip"):
            lines = [f'{table},conn=c{i % 7} id={i}i,v={i / 2},s="s{i}" {T0 * 10**9 + i * 1000}'
                     for table, ids in self.parts for i in ids]
            body = "\n".join(lines).encode()
            if self.form == "gzip":
                self.headers["Content-Encoding"] = "gzip"
                body = gzip.compress(body, 1)
            return "/api/v1/write", body
        if self.form == "columns":
            members = [{"m": table, "columns": {
                "time": [T0 * 10**6 + i for i in ids], "conn": [f"c{i % 7}" for i in ids], "id": ids,
                "v": [i / 2 for i in ids], "s": [f"s{i}" for i in ids]}} for table, ids in self.parts]
        else:
            members = [{"m": table, "t": T0 * 10**6 + i, "tags": {"conn": f"c{i % 7}"},
                        "fields": {"id": i, "v": i / 2, "s": f"s{i}"}} for table, ids in self.parts for i in ids]
        self.headers["x-arc-atomic"] = "true"
        return "/api/v1/write/msgpack", msgpack.packb(members if len(members) > 1 else members[0])

    def send(self, connection):
        if self.state == "new":
            self.state = "sent"
        response = connection.post(self.path, self.body, self.headers)
        if response is None:
            return None
        if response.status == 204:
            self.state = "acked"
            self.lsn = response.headers["X-Arc-LSN"]
        elif response.status == 503 and self.state == "sent":
            self.state = "refused"
        elif response.status not in (204, 503):
            raise AssertionError(f"{self.path} {self.headers}: {response.status} {response.reason}")
        return response.status

    def must(self):
        return self.state == "acked" and self.durability != "memory"

    def may(self):
        return self.state in ("acked", "sent")


class Ledger:
    """All requests of a run; ids are unique, names of tables change now and then so that a check stays short."""

    def __init__(self, rng, tables_of_cycles=10):
        self.rng = rng
        self.lock = threading.Lock()
        self.requests = []
        self.next_id = 0
        self.cycle = 0
        self.tables_of_cycles = tables_of_cycles
        self.checked = 0

    def tables(self, cycle=None):
        era = (self.cycle if cycle is None else cycle) // self.tables_of_cycles
        return [f"k{era}_{i}" for i in range(TABLES)]

    def new(self, rng):
        n = rng.choice([1, 1, 2, 5, 20, 100])
        with self.lock:
            ids = list(range(self.next_id, self.next_id + n))
            self.next_id += n
            key = f"key-{ids[0]}" if rng.random() < 0.4 else None
            request = Request(rng, ids, self.tables(), key)
            request.cycle = self.cycle
            self.requests.append(request)
        return request

    def check(self, arc, everything=False):
        """0 lost, 0 doubled, nothing else, requests whole: what the server holds against what clients were told.
        Afterwards every request is known to be there or not to be."""
        eras = {self.cycle // self.tables_of_cycles, max(0, self.cycle - 1) // self.tables_of_cycles}
        if everything:
            eras = set(range(self.cycle // self.tables_of_cycles + 1))
        found = {}
        for table in sorted(t for era in eras for t in self.tables(era * self.tables_of_cycles)):
            rows = arc.arrow(f"SELECT epoch_us(time) AS t, conn, id, v, s FROM {table}")
            if rows is None:
                continue
            for t, conn, i, v, s in zip(*(rows.column(n).to_pylist() for n in ("t", "conn", "id", "v", "s"))):
                assert (conn, v, s) == (f"c{i % 7}", i / 2, f"s{i}") and t == T0 * 10**6 + i, (table, i, t, conn, v, s)
                assert i not in found, f"row {i} is there twice: {found[i]}, {table}"
                found[i] = table
        known = 0
        for r in self.requests:
            if r.cycle // self.tables_of_cycles not in eras:
                continue
            there = [found.pop(i, None) == table for table, ids in r.parts for i in ids]
            known += len(there)
            assert all(there) or not any(there), f"{sum(there)} of {len(there)} rows of a request are there: {vars(r)}"
            if r.must() and not there[0]:
                raise AssertionError(f"acknowledged and lost: {vars(r)}")
            if there[0] and not r.may():
                raise AssertionError(f"refused, and there: {vars(r)}")
            r.there = there[0]
        assert not found, f"{len(found)} rows that nobody sent: {list(found)[:5]}"
        self.checked += known
        return known

    def settle(self, connection, rng, everything_of_cycle):
        """F5: clients send again what they do not know to be stored, and some of what they know: with their keys.
        Requests without a key that got no answer stay as they were found."""
        n = 0
        for r in self.requests:
            if r.cycle != everything_of_cycle:
                continue
            unsure = r.state == "sent" or (r.state == "acked" and not r.there)
            if r.key and (unsure or rng.random() < 0.1):
                lsn = r.lsn if r.there else None
                assert r.send(connection) == 204, vars(r)
                assert lsn is None or r.lsn == lsn, (lsn, vars(r))
                n += 1
                if not r.there:
                    r.durability = "written"  # sent again, it is answered as safe as that
            elif not r.key and r.state in ("sent", "acked"):
                r.state = "acked" if r.there else "refused"
                if r.there:
                    r.durability = "written"
        return n
