"""worker.py URL NAME LEDGER: a worker of the shop, a FastStream application. Takes orders from the stream as a consumer of a group; each takes effect once."""

import asyncio
import signal
import sys
import traceback
from collections import Counter

from faststream.redis import RedisBroker, StreamSub
from store import Ledger, Store

url, name, ledger = sys.argv[1:4]
ledger = Ledger(ledger)
store = Store(url, ledger)
broker = RedisBroker(url, logger=None)
delivered = Counter()
done = set()


async def once(job):
    """The order and its mark in one transaction."""
    mark = f"order:{job['id']}"
    async with store.redis.pipeline(transaction=True) as pipe:
        await pipe.watch(mark)
        if await pipe.get(mark):
            return
        pipe.multi()
        pipe.set(mark, name, ex=3600)
        pipe.incrby("total:amount", job["amount"])
        pipe.incr("total:orders")
        await pipe.execute()


async def take(job):
    delivered[job["id"]] += 1
    try:
        await store.attempt(lambda: once(job))
        done.add(job["id"])
    except Exception as error:
        ledger.problem(f"order: {type(error).__name__}: {error}")
        raise


@broker.subscriber(stream=StreamSub("orders", group="workers", consumer=name, polling_interval=500, max_records=4))
async def work(job: dict):
    await take(job)


@broker.subscriber(stream=StreamSub("orders", group="workers", consumer=f"{name}-heir", polling_interval=1000, min_idle_time=5000))
async def inherit(job: dict):
    """What a worker that is no more has left behind."""
    ledger.count["inherited"] += 1
    await take(job)


async def run():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("open", flush=True)
    try:
        await store.attempt(broker.start)
        while not stop.is_set():
            for subscriber in broker.subscribers:
                if not subscriber.running:
                    raise RuntimeError("FastStream has given up a subscriber")
            await asyncio.sleep(0.1)
        await broker.stop()
    except Exception as error:
        ledger.problem(f"{type(error).__name__}: {error}")
        traceback.print_exc()
    finally:
        ledger.facts = {"delivered": delivered, "done": sorted(done)}
        ledger.write()


asyncio.run(run())
