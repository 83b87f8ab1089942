"""Scenarios of asyncpg against the DSQL endpoint: each one that takes a table of its own."""

import asyncio
import json
import os
import ssl
import traceback

import asyncpg

SECONDS_MAX = 40


class Connection(asyncpg.Connection):
    """As the connector of AWS has it: what DSQL knows of the driver's reset."""

    def get_reset_query(self):
        return "RESET ALL"

    # As it was called up to version 0.28.
    _get_reset_query = get_reset_query


def options(**more):
    context = ssl.create_default_context(cafile=os.environ["DSQL_CA"])
    place = {"host": os.environ["DSQL_HOST"], "port": int(os.environ["DSQL_PORT"])}
    login = {"user": "admin", "database": "postgres", "password": os.environ["PGPASSWORD"]}
    return {**place, **login, "ssl": context, **more}


async def connect(**more):
    return await asyncpg.connect(**options(**more))


async def raises(error, work):
    try:
        await work
    except error as raised:
        return raised
    raise AssertionError(f"no {error}")


async def works_with_its_cache_of_prepared_statements(table):
    conn = await connect()
    for turn in range(10):
        row = await conn.fetchrow("SELECT $1::int8 AS i, $2::text AS t, $3::bytea", turn, "x", b"\0")
        assert tuple(row) == (turn, "x", b"\0")
    await conn.executemany(f"INSERT INTO {table} VALUES ($1, $2)", [(n, "v") for n in range(100)])
    assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 100
    await conn.close()


async def has_transactions(table):
    conn = await connect()
    async with conn.transaction():
        await conn.execute(f"INSERT INTO {table} VALUES (1, 'kept')")
    try:
        async with conn.transaction():
            await conn.execute(f"INSERT INTO {table} VALUES (2, 'not')")
            raise ValueError
    except ValueError:
        pass
    assert [tuple(row) for row in await conn.fetch(f"SELECT * FROM {table}")] == [(1, "kept")]
    await conn.close()


async def hears_of_a_conflict_at_commit(table):
    one, other = await connect(), await connect()
    await one.execute(f"INSERT INTO {table} VALUES (1, '')")

    async def collide():
        async with one.transaction():
            await one.execute(f"UPDATE {table} SET v = 'one'")
            await other.execute(f"UPDATE {table} SET v = 'other'")

    raised = await raises(asyncpg.SerializationError, collide())
    assert "(OC000)" in str(raised), raised
    await one.close()
    await other.close()


async def resets_in_a_pool_as_the_connector_of_aws_does(table):
    more = {"connection_class": Connection, "min_size": 1, "max_size": 1}
    async with asyncpg.create_pool(**options(**more)) as pool:
        async with pool.acquire() as conn:
            await conn.execute("SET timezone = 'Asia/Tokyo'")
        assert await pool.fetchval("SHOW timezone") == "UTC"
        for turn in range(5):
            assert await pool.fetchval("SELECT $1::int", turn) == turn


async def is_told_that_its_own_reset_is_not_supported(table):
    conn = await connect()
    await raises(asyncpg.FeatureNotSupportedError, conn.reset())
    assert await conn.fetchval("SELECT 1") == 1
    await conn.close()


async def connects_with_tls_from_the_first_byte(table):
    more = options(direct_tls=True)
    more["ssl"].set_alpn_protocols(["postgresql"])
    conn = await asyncpg.connect(**more)
    assert await conn.fetchval("SELECT 42") == 42
    await conn.close()


async def copies(table):
    conn = await connect()
    records = [(n, f"v{n}") for n in range(300)]
    assert await conn.copy_records_to_table(table, records=records) == "COPY 300"
    chunks = []

    async def keep(chunk):
        chunks.append(chunk)

    await conn.copy_from_query(f"SELECT * FROM {table} ORDER BY id LIMIT 2", output=keep)
    assert b"".join(chunks) == b"0\tv0\n1\tv1\n"
    await conn.close()


async def walks_a_result_in_portions(table):
    conn = await connect()
    async with conn.transaction():
        got = [row[0] async for row in conn.cursor("SELECT generate_series(1, 1000)", prefetch=70)]
    assert got == list(range(1, 1001))
    await conn.close()


SCENARIOS = {
    name: value
    for name, value in list(globals().items())
    if asyncio.iscoroutinefunction(value) and value.__code__.co_varnames[:1] == ("table",)
}


async def main():
    loop = asyncio.get_running_loop()
    find = loop.getaddrinfo

    async def found(host, *args, **more):
        known = os.environ["DSQL_ADDRESS"] if host == os.environ["DSQL_HOST"] else host
        return await find(known, *args, **more)

    # What a line in /etc/hosts would do.
    loop.getaddrinfo = found
    side = await connect()
    for name, scenario in SCENARIOS.items():
        table = f"asyncpg_{name}"
        try:
            await side.execute(f"CREATE TABLE {table} (id int PRIMARY KEY, v text)")
            await asyncio.wait_for(scenario(table), SECONDS_MAX)
            print(json.dumps([name, "ok"]))
        except Exception:
            print(json.dumps([name, traceback.format_exc()]))
    await side.close()


asyncio.run(main())
