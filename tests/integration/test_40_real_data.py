"""Public data goes in by line protocol and by MessagePack; what SQL says of it afterwards is what plain
DuckDB says of the original files."""

import csv
import datetime
import json
import math
import pathlib

import duckdb
import msgpack
import pytest

DATA = pathlib.Path(__file__).resolve().parents[2] / ".deps" / "vega-datasets"
UTC = datetime.timezone.utc
NORMALS_BEFORE = "2010-04-01"  # of a year: a file for each of its 8,759 hours would be most of the time of these tests


def micros(text, form):
    return int(datetime.datetime.strptime(text, form).replace(tzinfo=UTC).timestamp()) * 1_000_000


def weather_lines():
    """Daily weather of two cities: a tag, floats, a string field."""
    for row in csv.DictReader(open(DATA / "weather.csv")):
        fields = ",".join(f"{k}={row[k]}" for k in ("precipitation", "temp_max", "temp_min", "wind"))
        yield (f'weather,location={row["location"].replace(" ", chr(92) + " ")} {fields},weather="{row["weather"]}" '
               f'{micros(row["date"], "%Y-%m-%d") * 1000}')


def normals_lines():
    """Hourly normals of one city, no tags, seconds."""
    for row in csv.DictReader(open(DATA / "seattle-weather-hourly-normals.csv")):
        if row["date"] >= NORMALS_BEFORE:
            return
        yield (f'normals pressure={row["pressure"]},temperature={row["temperature"]},wind={row["wind"]} '
               f'{micros(row["date"], "%Y-%m-%dT%H:%M:%S") // 1_000_000}')


def stocks_rows():
    """Prices since 2000, row by row, times in seconds."""
    return [{"m": "stocks", "t": micros(row["date"], "%b %d %Y") // 1_000_000, "tags": {"symbol": row["symbol"]},
             "fields": {"price": float(row["price"])}} for row in csv.DictReader(open(DATA / "stocks.csv"))]


def flights_columns():
    """20,000 flights, column by column, times in milliseconds, not in order."""
    rows = json.load(open(DATA / "flights-20k.json"))
    return {"m": "flights", "columns": {
        "time": [micros(r["date"], "%Y/%m/%d %H:%M") // 1000 for r in rows],
        **{k: [r[k] for r in rows] for k in ("delay", "distance", "origin", "destination")}}}


@pytest.fixture(scope="module")
def loaded(arc_module):
    arc = arc_module
    assert arc.post("/write?db=vega", "\n".join(weather_lines())).status == 204
    assert arc.post("/write?db=vega&precision=s", "\n".join(normals_lines())).status == 204
    assert arc.post("/api/v1/write/msgpack", msgpack.packb(stocks_rows()), {"x-arc-database": "vega"}).status == 204
    flights = flights_columns()
    half = len(flights["columns"]["time"]) // 2
    for part in (slice(0, half), slice(half, None)):
        body = {"m": "flights", "columns": {k: v[part] for k, v in flights["columns"].items()}}
        assert arc.post("/api/v1/write/msgpack", msgpack.packb(body), {"x-arc-database": "vega"}).status == 204
        # the first half is in Parquet, the second in memory, when the queries run
        if part.start == 0:
            assert arc.post("/api/v1/write/flush", "").status == 200
    return arc


@pytest.fixture(scope="module")
def oracle():
    db = duckdb.connect()
    db.execute("SET TimeZone = 'UTC'")
    db.execute(f"""CREATE VIEW weather AS SELECT (date::DATE)::TIMESTAMP AT TIME ZONE 'UTC' AS time, location,
                   precipitation, temp_max, temp_min, wind, weather FROM read_csv('{DATA}/weather.csv')""")
    db.execute(f"""CREATE VIEW normals AS SELECT date::TIMESTAMP AT TIME ZONE 'UTC' AS time, pressure, temperature,
                   wind FROM read_csv('{DATA}/seattle-weather-hourly-normals.csv') WHERE date < '{NORMALS_BEFORE}'""")
    db.execute(f"""CREATE VIEW stocks AS SELECT strptime(date, '%b %d %Y') AT TIME ZONE 'UTC' AS time, symbol, price
                   FROM read_csv('{DATA}/stocks.csv', types={{'date': 'VARCHAR'}})""")
    db.execute(f"""CREATE VIEW flights AS SELECT strptime(date, '%Y/%m/%d %H:%M') AT TIME ZONE 'UTC' AS time, delay,
                   distance, origin, destination
                   FROM read_json('{DATA}/flights-20k.json', columns={{date: 'VARCHAR', delay: 'BIGINT',
                        distance: 'BIGINT', origin: 'VARCHAR', destination: 'VARCHAR'}})""")
    return db


QUERIES = [
    "SELECT count(*) FROM weather",
    "SELECT count(*), min(time), max(time) FROM flights",
    "SELECT location, count(*) AS days, avg(temp_max) FROM weather GROUP BY location ORDER BY location",
    "SELECT * FROM weather WHERE location = 'New York' ORDER BY time LIMIT 20",
    "SELECT weather, count(*) FROM weather GROUP BY 1 ORDER BY 2 DESC, 1",
    "SELECT date_trunc('month', time) AS m, location, sum(precipitation) FROM weather GROUP BY ALL ORDER BY m, location",
    "SELECT time_bucket(INTERVAL '7 days', time) AS w, max(wind) FROM weather GROUP BY w ORDER BY w",
    "SELECT time_bucket('1 month', time) AS w, min(temp_min) FROM weather GROUP BY w ORDER BY w",
    "SELECT count(*) FROM weather WHERE time >= '2013-01-01' AND time < '2014-01-01T00:00:00Z'",
    "SELECT count(*) FROM weather WHERE time BETWEEN '2012-06-01' AND '2012-06-30'",
    "SELECT extract(year FROM time) AS y, median(temp_max) FROM weather GROUP BY y ORDER BY y",
    "SELECT location, quantile_cont(wind, 0.9) FROM weather GROUP BY location ORDER BY location",
    "SELECT time, temp_max, avg(temp_max) OVER (ORDER BY time ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS week "
    "FROM weather WHERE location = 'Seattle' ORDER BY time LIMIT 50",
    "SELECT time, price, price - lag(price) OVER (ORDER BY time) AS d FROM stocks WHERE symbol = 'IBM' ORDER BY time",
    "SELECT symbol, first(price ORDER BY time), last(price ORDER BY time) FROM stocks GROUP BY symbol ORDER BY symbol",
    "SELECT symbol, arg_max(time, price) AS best FROM stocks GROUP BY symbol ORDER BY symbol",
    "SELECT DISTINCT symbol FROM stocks ORDER BY symbol DESC",
    "SELECT s.symbol, s.time, s.price FROM stocks s JOIN (SELECT symbol, max(price) AS p FROM stocks GROUP BY symbol) "
    "m ON s.symbol = m.symbol AND s.price = m.p ORDER BY s.symbol, s.time",
    "WITH y AS (SELECT symbol, extract(year FROM time) AS year, avg(price) AS p FROM stocks GROUP BY ALL) "
    "SELECT * FROM y WHERE p > 100 ORDER BY symbol, year",
    "SELECT symbol, stddev(price), variance(price) FROM stocks GROUP BY symbol HAVING count(*) > 100 ORDER BY symbol",
    "SELECT origin, count(*) AS n, avg(delay) FROM flights GROUP BY origin HAVING count(*) > 200 ORDER BY n DESC, origin",
    "SELECT destination, sum(distance) FROM flights WHERE origin IN ('SFO', 'LAX') GROUP BY 1 ORDER BY 1",
    "SELECT CASE WHEN delay > 60 THEN 'late' WHEN delay > 0 THEN 'some' ELSE 'none' END AS c, count(*) FROM flights "
    "GROUP BY c ORDER BY c",
    "SELECT count(*) FILTER (WHERE delay < 0), count(DISTINCT destination), max(distance) FROM flights",
    "SELECT to_timestamp((epoch_ns(time) // 1000000000 // 86400) * 86400) AS day, count(*) FROM flights "
    "GROUP BY day ORDER BY day LIMIT 30",
    "SELECT origin || '-' || destination AS route, count(*) FROM flights WHERE origin ILIKE 's%' GROUP BY route "
    "ORDER BY 2 DESC, 1 LIMIT 25",
    "SELECT time, origin, delay FROM flights WHERE delay > 300 ORDER BY time, origin, delay",
    "SELECT date_trunc('day', time) AS d, avg(temperature), min(pressure) FROM normals GROUP BY d ORDER BY d",
    "SELECT epoch_ms(time), strftime(time, '%H:%M') FROM normals ORDER BY time LIMIT 24",
    "SELECT w.location, count(*) FROM weather w LEFT JOIN normals n ON extract(month FROM w.time) = "
    "extract(month FROM n.time) AND extract(day FROM w.time) = extract(day FROM n.time) AND "
    "extract(hour FROM n.time) = 12 WHERE w.temp_max > n.temperature GROUP BY w.location ORDER BY 1",
    "SELECT location, weather, count(*) FROM weather GROUP BY ROLLUP (location, weather) ORDER BY 1 NULLS LAST, 2 NULLS LAST",
    "SELECT 'a' AS k, count(*) FROM stocks UNION ALL SELECT 'b', count(*) FROM flights ORDER BY k",
]


def as_json(value):
    if isinstance(value, datetime.datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
        return value.strftime("%Y-%m-%dT%H:%M:%S") + (f".{value.microsecond:06d}" if value.microsecond else "") + "Z"
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def same(got, expected):
    if isinstance(expected, float):
        return isinstance(got, (int, float)) and math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-12)
    return got == expected


def columns_by_name(names, rows):
    """`SELECT *`: our tables hold their columns in order of arrival, the files in theirs."""
    order = sorted(range(len(names)), key=lambda i: names[i])
    return [names[i] for i in order], [[r[i] for i in order] for r in rows]


@pytest.mark.parametrize("sql", QUERIES, ids=lambda s: s[:60])
def test_query_equals_duckdb_over_the_files(loaded, oracle, sql):
    cursor = oracle.execute(sql)
    names = [d[0] for d in cursor.description]
    expected = [[as_json(v) for v in row] for row in cursor.fetchall()]
    answer = loaded.query(sql, database="vega")
    got_names, got = answer["columns"], answer["data"]
    if "*" in sql.split("FROM")[0] and "count" not in sql.split("FROM")[0]:
        names, expected = columns_by_name(names, expected)
        got_names, got = columns_by_name(got_names, got)
    assert got_names == names
    assert len(got) == len(expected) == answer["row_count"]
    assert expected, "a query that finds nothing proves nothing"
    for g, e in zip(got, expected):
        assert all(map(same, g, e)), (g, e)


def test_every_row_is_there_once(loaded):
    for table, n in (("weather", 2922), ("normals", 2159), ("stocks", 560), ("flights", 20000)):
        assert loaded.query(f"SELECT count(*) FROM vega.{table}")["data"] == [[n]]
