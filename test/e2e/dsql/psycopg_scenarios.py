"""Scenarios of psycopg 3 against the DSQL endpoint: each one that takes a table of its own."""

import json
import os
import traceback

import psycopg
from psycopg import errors


def connect(**options):
    return psycopg.connect(os.environ["DSQL_INFO"], autocommit=True, **options)


def raises(error, work):
    try:
        work()
    except error as raised:
        return raised
    raise AssertionError(f"no {error}")


def prepares_statements_of_its_own(table):
    with connect() as conn:
        for turn in range(8):
            got = conn.execute("SELECT %s::int + 1, %s::text", (turn, "x"), prepare=True)
            assert got.fetchone() == (turn + 1, "x")
        conn.execute(f"INSERT INTO {table} VALUES (%s, %s)", (1, "a"), prepare=True)
        assert conn.execute(f"SELECT v FROM {table}", prepare=True).fetchall() == [("a",)]


def takes_and_gives_values_in_binary(table):
    with connect() as conn, conn.cursor(binary=True) as cur:
        cur.execute(
            "SELECT %b::int, %b::bytea, %b::numeric, %b::text, NULL::int, '{1,2}'::int[]",
            (7, bytes(range(256)), 2.5, "µ"),
        )
        row = cur.fetchone()
        assert row[:2] == (7, bytes(range(256))), row
        assert float(row[2]) == 2.5 and row[3:] == ("µ", None, [1, 2]), row


def copies_in_and_out(table):
    with connect() as conn, conn.cursor() as cur:
        with cur.copy(f"COPY {table} (id, v) FROM STDIN") as copy:
            for n in range(500):
                copy.write_row((n, f"v{n}"))
        with cur.copy(f"COPY {table} TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types(["int4", "text"])
            rows = list(copy.rows())
        assert sorted(rows) == [(n, f"v{n}") for n in range(500)]


def survives_a_copy_that_fails(table):
    with connect() as conn, conn.cursor() as cur:
        conn.execute(f"INSERT INTO {table} VALUES (1, 'there')")

        def twice():
            with cur.copy(f"COPY {table} (id, v) FROM STDIN") as copy:
                copy.write_row((2, "two"))
                copy.write_row((1, "one"))

        raises(errors.UniqueViolation, twice)

        def given_up():
            with cur.copy(f"COPY {table} (id, v) FROM STDIN") as copy:
                copy.write_row((3, "three"))
                raise ValueError("enough")

        # Which of the two comes is a matter of the driver's version.
        raises((ValueError, errors.QueryCanceled), given_up)
        assert conn.execute(f"SELECT id FROM {table}").fetchall() == [(1,)]


def pipelines(table):
    with connect() as conn:
        with conn.pipeline():
            answers = [conn.execute("SELECT %s::int", (n,)) for n in range(200)]
            conn.execute(f"INSERT INTO {table} VALUES (1, 'a')")
        assert [cur.fetchone()[0] for cur in answers] == list(range(200))
        assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def undoes_a_pipeline_that_fails(table):
    with connect() as conn:

        def fails():
            with conn.pipeline():
                conn.execute(f"INSERT INTO {table} VALUES (1, 'a')")
                conn.execute("SELECT 1/0")
                conn.execute(f"INSERT INTO {table} VALUES (2, 'b')")

        raises(errors.DivisionByZero, fails)
        assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def executes_many_in_one_transaction(table):
    with connect() as conn:
        with conn.transaction(), conn.cursor() as cur:
            cur.executemany(f"INSERT INTO {table} VALUES (%s, %s)", [(n, "m") for n in range(300)])
            assert cur.rowcount == 300
        assert conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (300,)


def hears_of_a_conflict_at_commit(table):
    with connect() as one, connect() as other:
        one.execute(f"INSERT INTO {table} VALUES (1, '')")

        def collide():
            with one.transaction():
                one.execute(f"UPDATE {table} SET v = 'one' WHERE id = 1")
                with other.transaction():
                    assert other.execute(f"UPDATE {table} SET v = 'other'").rowcount == 1

        raised = raises(errors.SerializationFailure, collide)
        assert "(OC000)" in str(raised), raised
        assert one.execute(f"SELECT v FROM {table}").fetchone() == ("other",)


def knows_no_savepoints_and_no_cursors(table):
    with connect() as conn:
        raised = raises(errors.FeatureNotSupported, lambda: conn.execute("BEGIN; SAVEPOINT a"))
        assert raised.diag.message_primary == "unsupported transaction statement: SAVEPOINT"
        conn.execute("ROLLBACK")
        with conn.transaction(), conn.cursor("named") as cur:
            raises(errors.FeatureNotSupported, lambda: cur.execute("SELECT 1"))
            raise psycopg.Rollback


def streams_row_by_row(table):
    with connect() as conn, conn.cursor() as cur:
        rows = cur.stream("SELECT n, repeat('x', 100) FROM generate_series(1, 5000) AS n")
        assert [row[0] for row in rows] == list(range(1, 5001))


def begins_by_itself_without_autocommit(table):
    with psycopg.connect(os.environ["DSQL_INFO"]) as conn:
        conn.execute(f"INSERT INTO {table} VALUES (1, 'a')")
        conn.rollback()
        conn.execute(f"INSERT INTO {table} VALUES (2, 'b')")
        conn.commit()
        assert conn.execute(f"SELECT id FROM {table}").fetchall() == [(2,)]


def is_told_of_postgresql_16(table):
    with connect() as conn:
        assert conn.info.server_version == 160015
        assert conn.info.parameter_status("server_version") == "16.15"
        assert conn.info.parameter_status("TimeZone") == "UTC"
        assert conn.info.encoding == "utf-8"


SCENARIOS = {
    name: value
    for name, value in list(globals().items())
    if getattr(value, "__code__", None) and value.__code__.co_varnames[:1] == ("table",)
}

for name, scenario in SCENARIOS.items():
    table = f"psycopg_{name}"
    try:
        with connect() as side:
            side.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, v text)")
        scenario(table)
        print(json.dumps([name, "ok"]))
    except Exception:
        print(json.dumps([name, traceback.format_exc()]))
