import asyncio
from concurrent.futures import ThreadPoolExecutor

import redis
import redis.asyncio
from kit import check, eq


@check
def fifty_threads(env, client):
    pool = redis.BlockingConnectionPool(**env.options(max_connections=50))

    def count(_):
        own = redis.Redis(connection_pool=pool)
        for _ in range(20):
            own.incr("n")

    with ThreadPoolExecutor(50) as threads:
        list(threads.map(count, range(50)))
    pool.disconnect()
    eq(client.get("n"), b"1000")


@check
def fifty_tasks(env, client):
    async def main():
        pool = redis.asyncio.ConnectionPool(**env.options(max_connections=50))
        shared = redis.asyncio.Redis(connection_pool=pool)

        async def count():
            for _ in range(10):
                await shared.incr("n")
                async with shared.pipeline() as pipe:
                    await pipe.incr("n").incrbyfloat("f", 0.5).execute()

        await asyncio.gather(*(count() for _ in range(50)))
        await shared.aclose()
        await pool.disconnect()

    asyncio.run(main())
    eq((client.get("n"), client.get("f")), (b"1000", b"250"))


@check
def fifty_optimistic_writers(env, client):
    pool = redis.BlockingConnectionPool(**env.options(max_connections=50))

    def increment(_):
        def step(pipe):
            value = int(pipe.get("n") or 0)
            pipe.multi()
            pipe.set("n", value + 1)

        redis.Redis(connection_pool=pool).transaction(step, "n")

    with ThreadPoolExecutor(10) as threads:
        list(threads.map(increment, range(50)))
    pool.disconnect()
    eq(client.get("n"), b"50")
