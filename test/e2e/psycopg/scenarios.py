"""One scenario of psycopg 3 against the URL of the command line; silence and exit 0 are success."""

import logging
import signal
import sys
import threading
import time

import psycopg
from psycopg import errors, sql
from psycopg.rows import tuple_row

SCENARIO_SECONDS_MAX = 30


def connect(url, **options):
    return psycopg.connect(url, row_factory=tuple_row, **options)


def raises(error, work):
    try:
        work()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


def transactions(url):
    with connect(url) as conn:
        conn.execute("CREATE TABLE tx (n int PRIMARY KEY)")
        conn.commit()
        with conn.transaction():
            conn.execute("INSERT INTO tx VALUES (1)")
            with conn.transaction(force_rollback=True):
                conn.execute("INSERT INTO tx VALUES (2)")
        raises(errors.UniqueViolation, lambda: conn.execute("INSERT INTO tx VALUES (1)"))
        raises(errors.InFailedSqlTransaction, lambda: conn.execute("SELECT 1"))
        conn.rollback()
        assert conn.execute("SELECT array_agg(n) FROM tx").fetchone() == ([1],)
        conn.rollback()
        conn.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        conn.read_only = True
        raises(errors.ReadOnlySqlTransaction, lambda: conn.execute("DELETE FROM tx"))
        conn.rollback()


def error_fields(url):
    with connect(url, autocommit=True) as conn:
        try:
            conn.execute("SELECT 1,\n nothing")
        except errors.UndefinedColumn as error:
            assert error.diag.statement_position == "12", error.diag.statement_position
            assert error.diag.sqlstate == "42703"
        else:
            raise AssertionError("no error")
        assert conn.execute("SELECT 5").fetchone() == (5,)


def pipeline(url):
    with connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE pipe (n int)")
        with conn.pipeline():
            cursors = [conn.execute("SELECT %s::int", (n,)) for n in range(500)]
            for n, cursor in enumerate(cursors):
                assert cursor.fetchone() == (n,)
        # An error aborts what was sent after it, to the next synchronisation.
        def failing():
            with conn.pipeline() as pipe:
                conn.execute("INSERT INTO pipe VALUES (0)")
                pipe.sync()
                conn.execute("SELECT 1 / %s", (0,))
                conn.execute("INSERT INTO pipe VALUES (1)")
                pipe.sync()

        raises(errors.DivisionByZero, failing)
        assert conn.execute("SELECT 3").fetchone() == (3,)
        with conn.pipeline(), conn.transaction():
            conn.execute("INSERT INTO pipe VALUES (2)")
            conn.execute("INSERT INTO pipe VALUES (3)")
        assert conn.execute("SELECT array_agg(n ORDER BY n) FROM pipe").fetchone() == ([0, 2, 3],)


def server_cursor(url):
    with connect(url) as conn:
        with conn.cursor("portions") as cursor:
            cursor.itersize = 1000
            cursor.execute("SELECT generate_series(1, 10000)")
            assert sum(n for (n,) in cursor) == 50005000
        with conn.cursor("scrolling", scrollable=True) as cursor:
            cursor.execute("SELECT generate_series(1, 100)")
            cursor.scroll(90)
            assert cursor.fetchone() == (91,)
            cursor.scroll(0, mode="absolute")
            assert cursor.fetchmany(2) == [(1,), (2,)]
        conn.commit()
    with connect(url, autocommit=True) as conn:
        with conn.cursor("held", withhold=True) as cursor:
            cursor.execute("SELECT generate_series(1, 100)")
            assert cursor.fetchone() == (1,)
            assert conn.execute("SELECT 'between'").fetchone() == ("between",)
            assert len(cursor.fetchall()) == 99


def copy(url):
    with connect(url, autocommit=True) as conn:
        conn.execute("CREATE TABLE copied (n int, t text)")
        with conn.cursor().copy("COPY copied FROM STDIN") as out:
            for n in range(50000):
                out.write_row((n, f"row\t{n}"))
        with conn.cursor().copy("COPY copied FROM STDIN (FORMAT binary)") as out:
            out.set_types(["int4", "text"])
            for n in range(50000, 100000):
                out.write_row((n, f"row\t{n}"))
        with conn.cursor().copy("COPY (TABLE copied ORDER BY n) TO STDOUT") as rows:
            rows.set_types(["int4", "text"])
            for at, row in enumerate(rows.rows()):
                assert row == (at, f"row\t{at}")
        assert at == 99999

        def bad_line():
            with conn.cursor().copy("COPY copied FROM STDIN") as out:
                out.write("x\ty\n")

        def own_failure():
            with conn.cursor().copy("COPY copied FROM STDIN") as out:
                out.write("1\ta\n")
                raise ZeroDivisionError

        raises(errors.InvalidTextRepresentation, bad_line)
        raises(errors.QueryCanceled, own_failure)
        assert conn.execute("SELECT count(*) FROM copied").fetchone() == (100000,)


def prepare_threshold(url):
    for threshold in (0, 1, 5, None):
        with connect(url, autocommit=True, prepare_threshold=threshold) as conn:
            conn.prepared_max = 3
            for round in range(12):
                for kind in ("int", "bigint", "text", "numeric", "float8"):
                    query = sql.SQL("SELECT %s::{}").format(sql.SQL(kind))
                    value = str(round) if kind == "text" else round
                    assert conn.execute(query, (value,)).fetchone() == (value,)


def deallocate(url):
    # What DEALLOCATE removes is gone, for this client only; what was prepared anew works.
    with connect(url, autocommit=True, prepare_threshold=0) as one:
        with connect(url, autocommit=True, prepare_threshold=0) as two:
            for conn in (one, two):
                assert conn.execute("SELECT %s::int + 1", (1,)).fetchone() == (2,)
                conn.execute("PREPARE own (int) AS SELECT $1 * 10", prepare=False)
            assert one.execute("EXECUTE own(4)", prepare=False).fetchone() == (40,)
            one.execute("DEALLOCATE own", prepare=False)
            unknown = errors.InvalidSqlStatementName
            raises(unknown, lambda: one.execute("EXECUTE own(4)", prepare=False))
            assert two.execute("EXECUTE own(5)", prepare=False).fetchone() == (50,)
            one.execute("DEALLOCATE ALL")
            # The driver still believes in its own one, as it does without a gateway.
            raises(unknown, lambda: one.execute("SELECT %s::int + 1", (2,)))
            assert one.execute("SELECT %s::int + 2", (2,)).fetchone() == (4,)
            assert two.execute("SELECT %s::int + 1", (3,)).fetchone() == (4,)


def altered(url):
    # The driver's statement outlives the table it was prepared for.
    with connect(url, autocommit=True, prepare_threshold=0) as conn:
        conn.execute("CREATE TABLE altered (a int)")
        conn.execute("INSERT INTO altered VALUES (1)")
        query = "SELECT * FROM altered WHERE a = %s::int"
        for _ in range(3):
            assert conn.execute(query, (1,)).fetchone() == (1,)
        conn.execute("ALTER TABLE altered ADD b text DEFAULT 'new'", prepare=False)
        try:
            row = conn.execute(query, (1,)).fetchone()
        except errors.FeatureNotSupported:
            # What PostgreSQL itself says; the gateway may do better.
            row = (1, "new")
        assert row == (1, "new")


def cancel(url):
    with connect(url, autocommit=True) as conn:
        threading.Timer(0.3, conn.cancel).start()
        began = time.monotonic()
        raises(errors.QueryCanceled, lambda: conn.execute("SELECT pg_sleep(30)"))
        assert time.monotonic() - began < 10
        assert conn.execute("SELECT 1").fetchone() == (1,)


def listen(url):
    with connect(url, autocommit=True) as hearing, connect(url, autocommit=True) as speaking:
        hearing.execute("LISTEN news")
        speaking.execute("SELECT pg_notify('news', 'first')")
        speaking.execute("NOTIFY news, 'second'")
        heard = []
        for notify in hearing.notifies():
            heard.append(notify.payload)
            if len(heard) == 2:
                break
        assert heard == ["first", "second"]
        hearing.execute("UNLISTEN *")


def big(url):
    with connect(url, autocommit=True) as conn:
        value = b"ZECK" * 2500000
        for binary in (False, True):
            with conn.cursor(binary=binary) as cursor:
                assert cursor.execute("SELECT %b::bytea", (value,)).fetchone() == (value,)
                cursor.execute("SELECT generate_series(1, 100000)")
                assert cursor.fetchall()[-1] == (100000,)


def session_state(url):
    with connect(url, autocommit=True, application_name="mine") as one:
        with connect(url, autocommit=True, options="-c statement_timeout=4321") as two:
            one.execute("SET timezone = 'Asia/Tokyo'")
            one.execute("CREATE TEMP TABLE own_temp AS SELECT 1 AS n")
            for _ in range(10):
                zone = one.execute("SHOW timezone").fetchone()
                assert zone == ("Asia/Tokyo",), zone
                assert two.execute("SHOW statement_timeout").fetchone() == ("4321ms",)
                assert two.execute("SHOW timezone").fetchone() != zone
                assert one.execute("SELECT n FROM own_temp").fetchone() == (1,)
            raises(errors.UndefinedTable, lambda: two.execute("SELECT n FROM own_temp"))
            assert one.info.timezone.key == "Asia/Tokyo"
            assert one.info.parameter_status("application_name") == "mine"


def many_clients(url):
    failures = []

    def work(who):
        try:
            with connect(url, prepare_threshold=2) as conn:
                for round in range(20):
                    row = conn.execute("SELECT %s::int, %s::int", (who, round)).fetchone()
                    assert row == (who, round), row
                    conn.execute("SELECT set_config('e2e.who', %s, true)", (str(who),))
                    row = conn.execute("SELECT current_setting('e2e.who')").fetchone()
                    assert row == (str(who),), row
                    if round % 2:
                        conn.commit()
                    else:
                        conn.rollback()
        except Exception as error:
            failures.append(repr(error))

    threads = [threading.Thread(target=work, args=(who,)) for who in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == [], failures


SCENARIOS = {
    work.__name__: work
    for work in (
        transactions,
        error_fields,
        pipeline,
        server_cursor,
        copy,
        prepare_threshold,
        deallocate,
        altered,
        cancel,
        listen,
        big,
        session_state,
        many_clients,
    )
}

if __name__ == "__main__":
    if len(sys.argv) == 1:
        print("\n".join(SCENARIOS))
    else:
        # The driver grumbles when an error leaves a pipeline early, which one scenario is about.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        # What hangs is ended by the signal, which the exit status then tells.
        signal.alarm(SCENARIO_SECONDS_MAX)
        SCENARIOS[sys.argv[1]](sys.argv[2])
