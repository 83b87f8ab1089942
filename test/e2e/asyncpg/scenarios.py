"""One scenario of asyncpg against the URL of the command line: what it prints is compared.

Nothing is set that the driver's documentation advises for poolers: its cache of prepared
statements is on, and its statements have names.
"""

import asyncio
import datetime
import decimal
import sys
import uuid

import asyncpg

SCENARIO_SECONDS_MAX = 40
CLIENTS = 8


async def raises(error, work):
    try:
        await work
    except error as raised:
        return f"{type(raised).__name__}: {raised}"
    raise AssertionError(f"no {error.__name__}")


async def at_once(url, work, clients=CLIENTS, **options):
    """Each client has a connection of its own; their results in the order of the clients."""

    async def one(who):
        conn = await asyncpg.connect(url, **options)
        try:
            return await work(conn, who)
        finally:
            await conn.close()

    return await asyncio.gather(*(one(who) for who in range(clients)))


async def types(url):
    async def work(conn, who):
        row = await conn.fetchrow(
            """SELECT $1::int8 AS i, $2::numeric AS n, $3::timestamptz AS at, $4::uuid AS u,
                $5::bytea AS b, $6::text[] AS a, $7::int4range AS r, $8::interval AS v,
                $9::jsonb AS j, $10::float8 AS f, $11::date AS d, $12::text AS none""",
            2**40 + who,
            decimal.Decimal("-12345678901234567890.000123"),
            datetime.datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=datetime.timezone.utc),
            uuid.UUID(int=who),
            bytes(range(256)),
            ["a", None, 'b"c', "{}"],
            asyncpg.Range(1, 5),
            datetime.timedelta(days=3, seconds=5),
            '{"a": [1, null]}',
            1 / 3,
            datetime.date(1, 1, 1),
            None,
        )
        return tuple(row.values())

    for row in await at_once(url, work):
        print(row)


async def own_types(url):
    # The driver asks the catalogue for what it does not know, with statements of its own.
    conn = await asyncpg.connect(url)
    await conn.execute("CREATE TYPE mood AS ENUM ('sad', 'glad')")
    await conn.execute("CREATE TYPE pair AS (a int, b mood[])")
    await conn.execute("CREATE TABLE feelings (id int, p pair, d text)")
    await conn.close()

    async def work(conn, who):
        await conn.execute("INSERT INTO feelings VALUES ($1, $2)", who, (who, ["sad", "glad"]))
        mine = await conn.fetchval("SELECT p FROM feelings WHERE id = $1", who)
        await conn.set_type_codec(
            "numeric", encoder=str, decoder=float, schema="pg_catalog", format="text"
        )
        half = await conn.fetchval("SELECT $1::numeric / 2", who)
        return tuple(mine), half

    for row in await at_once(url, work):
        print(row)


async def prepared(url):
    async def work(conn, who):
        statement = await conn.prepare("SELECT $1::int + $2::int")
        sums = [await statement.fetchval(who, n) for n in range(20)]
        explicit = [await conn.prepare(f"SELECT {n} + $1::int AS n{who}") for n in range(20)]
        for n, each in enumerate(explicit):
            assert await each.fetchval(who) == n + who
        names = [attribute.name for attribute in explicit[0].get_attributes()]
        kinds = [parameter.name for parameter in explicit[0].get_parameters()]
        return sums, names, kinds, statement.get_statusmsg()

    for row in await at_once(url, work):
        print(row)


async def statement_cache(url):
    # A cache of three, so that statements are closed and come again all the time.
    async def work(conn, who):
        total = 0
        for round in range(60):
            total += await conn.fetchval(f"SELECT {round % 7} * $1::int", who)
            if round % 25 == 24:
                await conn.reload_schema_state()
        return total

    print(await at_once(url, work, statement_cache_size=3))
    print(await at_once(url, work, statement_cache_size=0))
    print(await at_once(url, work, max_cacheable_statement_size=20))


async def altered(url):
    # Outside a transaction the driver prepares again what the table outgrew; inside it says so.
    conn = await asyncpg.connect(url)
    await conn.execute("CREATE TABLE outgrown (a int); INSERT INTO outgrown VALUES (1)")
    print(await conn.fetch("SELECT * FROM outgrown"))
    await conn.execute("ALTER TABLE outgrown ADD b text DEFAULT 'new'")
    print(await conn.fetch("SELECT * FROM outgrown"))
    await conn.execute("ALTER TABLE outgrown ALTER a TYPE text")
    print(await conn.fetch("SELECT * FROM outgrown"))
    await conn.close()


async def cursors(url):
    async def work(conn, who):
        seen = 0
        async with conn.transaction():
            series = "SELECT generate_series(1, $1)"
            async for record in conn.cursor(series, 500 + who, prefetch=37):
                seen += record[0]
            cursor = await conn.cursor("SELECT generate_series(1, 100)")
            await cursor.forward(90)
            rest = [await cursor.fetchrow(), *(await cursor.fetch(5)), await cursor.fetch(50)]
            statement = await conn.prepare("SELECT $1::text || generate_series(1, 3)")
            async for record in statement.cursor("row "):
                rest.append(record[0])
        refused = await raises(asyncpg.NoActiveSQLTransactionError, consume(conn))
        return seen, rest, refused

    async def consume(conn):
        async for _ in conn.cursor("SELECT 1"):
            pass

    for row in await at_once(url, work):
        print(row)


async def copying(url):
    conn = await asyncpg.connect(url)
    await conn.execute("CREATE TABLE copied (who int, n int, t text, at timestamptz)")
    await conn.close()
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)

    async def work(conn, who):
        said = [
            await conn.copy_records_to_table(
                "copied", records=((who, n, f"row\t{n}", at) for n in range(3000))
            )
        ]

        async def source():
            for n in range(100):
                yield f"{who},{n},text\n".encode()

        columns = ["who", "n", "t"]
        said.append(
            await conn.copy_to_table("copied", source=source(), columns=columns, format="csv")
        )
        out = bytearray()

        async def sink(data):
            out.extend(data)

        mine = "SELECT n, t FROM copied WHERE who = $1 ORDER BY n, t"
        said.append(await conn.copy_from_query(mine, who, output=sink, format="csv"))
        said.append(len(out))
        bad = conn.copy_records_to_table("copied", records=[(who, "x", "t", at)])
        said.append(await raises(Exception, bad))

        async def broken():
            yield b"1,2,a\n"
            raise ZeroDivisionError("in the source")

        failing = conn.copy_to_table("copied", source=broken(), columns=columns, format="csv")
        said.append(await raises(ZeroDivisionError, failing))
        wrong = conn.copy_from_table("copied", columns=["nothing"], output=sink)
        said.append(await raises(asyncpg.UndefinedColumnError, wrong))
        said.append(await conn.fetchval("SELECT count(*) FROM copied WHERE who = $1", who))
        return said

    for row in await at_once(url, work, clients=6):
        print(row)


async def many(url):
    conn = await asyncpg.connect(url)
    await conn.execute("CREATE TABLE many (who int, n int, CHECK (n <> 13))")
    await conn.close()

    async def work(conn, who):
        insert = "INSERT INTO many VALUES ($1, $2)"
        await conn.executemany(insert, [(who, 100 + n) for n in range(500)])
        # All or nothing, also outside a transaction.
        bad = conn.executemany(insert, [(who, n) for n in range(50)])
        said = await raises(asyncpg.CheckViolationError, bad)
        return said, await conn.fetchval("SELECT sum(n) FROM many WHERE who = $1", who)

    for row in await at_once(url, work):
        print(row)


async def transactions(url):
    conn = await asyncpg.connect(url)
    await conn.execute("CREATE TABLE counted (id int PRIMARY KEY, n int)")
    await conn.execute("INSERT INTO counted VALUES (1, 0)")

    async def work(conn, who):
        # As the documentation has it: again from the start when the server says so.
        while True:
            try:
                async with conn.transaction(isolation="serializable"):
                    n = await conn.fetchval("SELECT n FROM counted WHERE id = 1")
                    await conn.execute("UPDATE counted SET n = $1 WHERE id = 1", n + 1)
                return
            except asyncpg.SerializationError:
                pass

    await at_once(url, work, clients=6)
    print(await conn.fetchval("SELECT n FROM counted"))
    async with conn.transaction():
        await conn.execute("INSERT INTO counted VALUES (2, 2)")
        nested = conn.transaction()
        await nested.start()
        twice = conn.execute("INSERT INTO counted VALUES (2, 3)")
        print(await raises(asyncpg.UniqueViolationError, twice))
        aborted = conn.fetchval("SELECT 1")
        print(await raises(asyncpg.InFailedSQLTransactionError, aborted))
        await nested.rollback()
        print(await conn.fetch("SELECT * FROM counted ORDER BY id"))
    async with conn.transaction(readonly=True):
        writing = conn.execute("DELETE FROM counted")
        print(await raises(asyncpg.ReadOnlySQLTransactionError, writing))
        await conn.execute("ROLLBACK; BEGIN")
    print(await conn.fetchval("SELECT count(*) FROM counted"))
    await conn.close()


async def pooled(url):
    # Every connection given back is reset with several statements in one message.
    async def prepare(conn):
        await conn.execute("SET timezone = 'Asia/Tokyo'")

    async with asyncpg.create_pool(url, min_size=5, max_size=10, setup=prepare) as pool:

        async def work(who):
            zones = set()
            for round in range(10):
                async with pool.acquire() as conn:
                    zones.add(await conn.fetchval("SHOW timezone"))
                    await conn.execute(f"SET e2e.who = {who}")
                    mine = await conn.fetchval("SELECT current_setting('e2e.who')")
                    assert mine == str(who), (mine, who)
                    async with conn.transaction():
                        total = await conn.fetchval("SELECT $1::int * $2::int", who, round)
                        assert total == who * round
            return zones

        print(await asyncio.gather(*(work(who) for who in range(25))))
        before = "SELECT current_setting('e2e.who', true)"
        left = await asyncio.gather(*(pool.fetchval(before) for _ in range(9)))
        print({str(each) for each in left})


async def listening(url):
    heard = asyncio.Queue()
    hearing = await asyncpg.connect(url)
    await hearing.add_listener("news", lambda *said: heard.put_nowait(said[2:]))

    async def work(conn, who):
        await conn.execute("SELECT pg_notify('news', $1)", f"from {who}")

    await at_once(url, work)
    print(sorted([await heard.get() for _ in range(CLIENTS)]))
    await hearing.execute("SELECT 1")
    # The one that listens hears itself as well, and its other work goes on.
    await hearing.execute("NOTIFY news, 'own'")
    print(await heard.get(), await hearing.fetchval("SELECT $1::text", "work"))
    await hearing.reset()
    await work(hearing, -1)
    await asyncio.sleep(0.1)
    print(heard.qsize())
    await hearing.close()


async def notices(url):
    heard = []
    conn = await asyncpg.connect(url)
    conn.add_log_listener(lambda _, said: heard.append((said.severity, said.message, said.hint)))
    await conn.execute("DO $$ BEGIN RAISE NOTICE 'mind' USING HINT = 'so'; END $$")
    await conn.execute("COMMIT")
    await asyncio.sleep(0.05)
    print(heard)
    await conn.close()


async def cancelling(url):
    async def work(conn, who):
        late = conn.fetchval("SELECT pg_sleep(20)", timeout=0.2)
        said = await raises(asyncio.TimeoutError, late)
        after = await conn.fetchval("SELECT $1::int", who)
        task = asyncio.ensure_future(conn.execute("SELECT pg_sleep(20)"))
        await asyncio.sleep(0.1)
        task.cancel()
        cancelled = await raises(asyncio.CancelledError, task)
        return said, after, cancelled, await conn.fetchval("SELECT $1::int", -who)

    print(await at_once(url, work, clients=3))
    conn = await asyncpg.connect(url, server_settings={"statement_timeout": "100"})
    print(await raises(asyncpg.QueryCanceledError, conn.execute("SELECT pg_sleep(20)")))
    print(conn.get_settings().TimeZone, await conn.fetchval("SHOW statement_timeout"))
    await conn.close()


async def errors(url):
    async def work(conn, who):
        try:
            await conn.fetch("SELECT 1,\n nothing, $1::int", who)
        except asyncpg.UndefinedColumnError as error:
            said = error.sqlstate, error.position, str(error)
        wrong = conn.execute("SELECT 1; SELECT 1/0; SELECT 2")
        several = await raises(asyncpg.DivisionByZeroError, wrong)
        return said, several, await conn.fetchval("SELECT 5")

    for row in await at_once(url, work):
        print(row)


SCENARIOS = {
    work.__name__: work
    for work in (
        types,
        own_types,
        prepared,
        statement_cache,
        altered,
        cursors,
        copying,
        many,
        transactions,
        pooled,
        listening,
        notices,
        cancelling,
        errors,
    )
}

if __name__ == "__main__":
    if len(sys.argv) == 1:
        print("\n".join(SCENARIOS))
    else:
        work = SCENARIOS[sys.argv[1]](sys.argv[2])
        asyncio.run(asyncio.wait_for(work, SCENARIO_SECONDS_MAX))
