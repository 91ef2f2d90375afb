"""faststream_app.py DB SERVER LOCKED_SERVER: FastStream, a framework whose applications are consumers of channels and of groups of streams.

Two applications, the second on SECOND_SERVER if that is set: another process over the same data."""

import asyncio
import os
import sys
import time
import traceback
import uuid

import redis.asyncio
from faststream import AckPolicy
from faststream.redis import PubSub, RedisBroker, RedisStreamMessage, StreamSub

db, server = sys.argv[1:3]
servers = [server, os.environ.get("SECOND_SERVER") or server]
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def eq(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.300}, want {want!r:.300}")


async def until(condition):
    end = time.monotonic() + 15
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not within 15 s")
        await asyncio.sleep(0.01)


class World:
    """Two applications on a database that was emptied, and a client beside them."""

    def __init__(self):
        self.brokers = [RedisBroker(f"redis://{address}/{db}", logger=None) for address in servers]
        self.redis = redis.asyncio.Redis.from_url(f"redis://{server}/{db}")
        self.name = f"app:{uuid.uuid4()}"

    async def start(self):
        for broker in self.brokers:
            await broker.start()

    async def close(self):
        for broker in self.brokers:
            await broker.stop()
        await self.redis.aclose()


@check
async def channels_and_patterns(world):
    a, b = world.brokers
    heard, matched = [], []

    @b.subscriber(world.name)
    async def by_name(text: str):
        heard.append(text)

    @a.subscriber(PubSub(f"{world.name}.{{part}}", pattern=True))
    async def by_pattern(text: str):
        matched.append(text)

    await world.start()
    for number in range(20):
        await a.publish(f"m{number}", channel=world.name)
    await b.publish("p", channel=f"{world.name}.x")
    await until(lambda: len(heard) == 20 and len(matched) == 1)
    eq((heard, matched), ([f"m{number}" for number in range(20)], ["p"]))


@check
async def requests_are_answered(world):
    a, b = world.brokers

    @b.subscriber(world.name)
    async def double(number: int) -> int:
        return number * 2

    await world.start()
    for number in range(5):
        answer = await a.request(number, channel=world.name, timeout=10)
        eq(await answer.decode(), number * 2)


@check
async def a_group_shares_the_work(world):
    done = []

    def employ(which, broker):
        @broker.subscriber(stream=StreamSub(world.name, group="g", consumer=f"c{which}", polling_interval=5000, max_records=1))
        async def work(number: int):
            await asyncio.sleep(0.002)
            done.append((number, which))

    for which, broker in enumerate(world.brokers):
        employ(which, broker)
    await world.start()
    for number in range(100):
        await world.brokers[number % 2].publish(number, stream=world.name)
    await until(lambda: len(done) >= 100)
    eq(sorted(number for number, _ in done), list(range(100)))
    eq({which for _, which in done}, {0, 1})
    await asyncio.sleep(0.1)
    eq((await world.redis.xpending(world.name, "g"))["pending"], 0)
    eq((await world.redis.xinfo_groups(world.name))[0]["lag"], 0)


@check
async def two_groups_get_everything(world):
    seen = {"one": [], "two": []}

    def employ(group, broker):
        @broker.subscriber(stream=StreamSub(world.name, group=group, consumer="c", batch=True, max_records=10, polling_interval=5000))
        async def work(numbers: list[int]):
            seen[group] += numbers

    for group, broker in zip(seen, world.brokers):
        employ(group, broker)
    await world.start()
    for number in range(50):
        await world.brokers[0].publish(number, stream=world.name, maxlen=1000)
    await until(lambda: all(len(numbers) >= 50 for numbers in seen.values()))
    eq(seen, {"one": list(range(50)), "two": list(range(50))})


@check
async def what_a_dead_worker_held_is_claimed(world):
    done = []
    a, b = world.brokers

    @a.subscriber(stream=StreamSub(world.name, group="g", consumer="dead", polling_interval=200), ack_policy=AckPolicy.MANUAL)
    async def forget(number: int, message: RedisStreamMessage):
        pass

    @b.subscriber(stream=StreamSub(world.name, group="g", consumer="heir", polling_interval=100, min_idle_time=500))
    async def work(number: int):
        done.append(number)

    await a.start()
    for number in range(5):
        await a.publish(number, stream=world.name)
    end = time.monotonic() + 10
    while (await world.redis.xpending(world.name, "g"))["pending"] < 5 and time.monotonic() < end:
        await asyncio.sleep(0.02)
    await a.stop()
    await b.start()
    await until(lambda: len(set(done)) == 5)
    eq(sorted(set(done)), list(range(5)))


@check
async def following_a_stream(world):
    heard = []

    @world.brokers[1].subscriber(stream=StreamSub(world.name, polling_interval=5000))
    async def follow(number: int):
        heard.append(number)

    await world.start()
    await asyncio.sleep(0.3)
    for number in range(30):
        await world.brokers[0].publish(number, stream=world.name)
    await until(lambda: len(heard) == 30)
    eq(heard, list(range(30)))


async def run():
    passed = failed = 0
    for function in CHECKS:
        world = World()
        name = function.__name__.replace("_", " ")
        try:
            await world.redis.flushdb()
            await asyncio.wait_for(function(world), 20)
            passed += 1
            print(f"ok    {name}", flush=True)
        except Exception as error:  # a check may fail in any way; the run goes on
            failed += 1
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            print(f"FAIL  {name} (line {line}): {type(error).__name__}: {error}", flush=True)
        finally:
            await world.close()
    print(f"{passed} passed, {failed} failed")
    return failed != 0


sys.exit(asyncio.run(run()))
