"""web.py URL NAME LEDGER: the web servers of the shop. Each visitor looks at pages (a cache with TTL, filled under a lock), has a session, is counted and limited,
and orders; an order is a job for the workers. Whatever Redis says is held against what the visitor knows."""

import asyncio
import json
import random
import signal
import sys
import time
import uuid
from collections import Counter

from faststream.redis import RedisBroker
from redis.exceptions import ConnectionError
from store import GaveUp, Ledger, Store

VISITORS = 4
PAGES = 30
PER_SECOND = 40  # requests that a visitor may make


class Visitor:
    def __init__(self, shop, number):
        self.shop = shop
        self.store = shop.store
        self.redis = shop.store.redis
        self.id = f"{shop.name}-{number}"
        self.clicks = 0  # as the session has it

    async def visit(self):
        if not await self.within_limit():
            return await asyncio.sleep(0.05)
        await self.look_at(random.randrange(PAGES))
        await self.session()
        if random.random() < 0.3:
            await self.order()

    async def within_limit(self):
        key = f"rate:{self.id}:{int(time.time())}"

        async def count():
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.incr(key)
                pipe.expire(key, 10)
                return (await pipe.execute())[0]

        return await self.store.attempt(count) <= PER_SECOND

    async def look_at(self, page):
        self.shop.hits[page] += 1
        before = self.shop.ledger.count["retries"]
        await self.store.attempt(lambda: self.redis.incr(f"hits:{page}"))
        # Tried again it may have been counted twice: that is what one accepts with INCR.
        self.shop.unsure[page] += self.shop.ledger.count["retries"] - before
        text = await self.store.attempt(lambda: self.redis.get(f"page:{page}"))
        while text is None:
            text = await self.fill(page)
        if json.loads(text)["page"] != page:
            self.shop.ledger.problem(f"page {page} shows {text}")

    async def fill(self, page):
        """Only one renders the page; the others look again."""
        token = str(uuid.uuid4())
        lock = f"lock:page:{page}"
        taken = await self.store.attempt(lambda: self.redis.set(lock, token, nx=True, px=5000))
        if not taken and await self.store.attempt(lambda: self.redis.get(lock)) != token:  # it may be ours, by a try whose reply was lost
            await asyncio.sleep(0.01)
            return await self.store.attempt(lambda: self.redis.get(f"page:{page}"))
        if time.monotonic() - self.shop.rendering.get(page, -9) < 4:  # after 5 s it is anybody's
            self.shop.ledger.problem(f"two hold the lock of page {page}")
        self.shop.rendering[page] = time.monotonic()
        await asyncio.sleep(0.005)
        text = json.dumps({"page": page, "rendered": time.time()})
        await self.store.attempt(lambda: self.redis.set(f"page:{page}", text, px=random.randrange(500, 3000)))
        self.shop.rendering.pop(page, None)
        await self.store.attempt(lambda: self.release(lock, token))
        await self.store.attempt(lambda: self.redis.publish("rendered", page))
        return text

    async def release(self, lock, token):
        async with self.redis.pipeline(transaction=True) as pipe:
            await pipe.watch(lock)
            if await pipe.get(lock) == token:
                pipe.multi()
                pipe.delete(lock)
                await pipe.execute()

    async def session(self):
        key = f"session:{self.id}"
        text = await self.store.attempt(lambda: self.redis.get(key))
        said = json.loads(text)["clicks"] if text else 0
        if said != self.clicks:
            self.shop.ledger.problem(f"{key} says {said} clicks, not {self.clicks}")
        self.clicks += 1
        text = json.dumps({"clicks": self.clicks, "cart": ["x" * 50] * 3})
        await self.store.attempt(lambda: self.redis.set(key, text, ex=600))

    async def order(self):
        job = {"id": str(uuid.uuid4()), "amount": random.randrange(1, 100)}
        await self.store.attempt(lambda: self.shop.broker.publish(job, stream="orders"))
        self.shop.orders[job["id"]] = job["amount"]


class Shop:
    def __init__(self, url, name, ledger):
        self.name, self.url = name, url
        self.ledger = Ledger(ledger)
        self.store = Store(url, self.ledger)
        self.broker = RedisBroker(url, logger=None)
        self.hits, self.unsure, self.orders = Counter(), Counter(), {}
        self.rendering = {}
        self.open = True

    async def visitor(self, number):
        visitor = Visitor(self, number)
        while self.open:
            try:
                await visitor.visit()
            except GaveUp as error:
                self.ledger.problem(str(error))
            await asyncio.sleep(0.15)

    async def listen(self):
        """Hears what the others have rendered, as a page cache in memory would. Subscribes again when the connection is lost, as redis-py does."""
        async with self.store.redis.pubsub() as pubsub:
            while self.open:
                try:
                    await pubsub.subscribe("rendered")
                    while self.open:
                        if await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.2):
                            self.ledger.count["heard"] += 1
                except ConnectionError:
                    self.ledger.count["subscribed again"] += 1
                    await asyncio.sleep(0.15)

    async def run(self):
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, lambda: setattr(self, "open", False))
        print("open", flush=True)
        await self.store.attempt(self.broker.connect)
        tasks = [self.listen(), *(self.visitor(number) for number in range(VISITORS))]
        try:
            await asyncio.gather(*tasks)
        except Exception as error:  # an error that no retry covers
            self.ledger.problem(f"{type(error).__name__}: {error}")
        finally:
            self.ledger.facts = {"hits": self.hits, "unsure": self.unsure, "orders": self.orders}
            self.ledger.write()


asyncio.run(Shop(*sys.argv[1:4]).run())
