import asyncio
import threading
import time

import redis
import redis.asyncio
from kit import check, eq


def hear(pubsub, count, timeout=10):
    """The next messages as (type, pattern, channel, data)."""
    messages, end = [], time.monotonic() + timeout
    while len(messages) < count and time.monotonic() < end:
        message = pubsub.get_message(timeout=0.2)
        if message:
            messages.append(tuple(message[part] for part in ("type", "pattern", "channel", "data")))
    return messages


def name(env, text):
    """Channels know no databases: a program's own carry its number."""
    return f"{text}:{env.db}:{env.protocol}"


@check
def messages_of_a_channel(env, client):
    channel = name(env, "news")
    with client.pubsub() as pubsub:
        pubsub.subscribe(channel)
        eq(hear(pubsub, 1), [("subscribe", None, channel.encode(), 1)])
        binary = bytes(range(256))
        eq([client.publish(channel, text) for text in ("a", "a", binary, "x" * 100_000, "")], [1] * 5)
        heard = [data for _, _, _, data in hear(pubsub, 5)]
        eq(heard, [b"a", b"a", binary, b"x" * 100_000, b""])
        pubsub.unsubscribe()
        eq(hear(pubsub, 1), [("unsubscribe", None, channel.encode(), 0)])
        eq(client.publish(channel, "nobody"), 0)


@check
def patterns(env, client):
    one, two = name(env, "news.1"), name(env, "news.2")
    pattern = name(env, "news.?")
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.psubscribe(pattern)
        pubsub.subscribe(one)
        hear(pubsub, 2, timeout=0.5)
        eq((client.publish(one, "both"), client.publish(two, "pattern")), (2, 1))
        heard = hear(pubsub, 3)
        eq(sorted(heard[:2], key=repr), sorted([
            ("message", None, one.encode(), b"both"), ("pmessage", pattern.encode(), one.encode(), b"both")], key=repr))
        eq(heard[2], ("pmessage", pattern.encode(), two.encode(), b"pattern"))


@check
def shard_channels(env, client):
    channel = name(env, "shard")
    with client.pubsub() as pubsub:
        pubsub.execute_command("SSUBSCRIBE", channel)
        eq(pubsub.parse_response(), [b"ssubscribe", channel.encode(), 1])
        eq(client.publish(channel, "elsewhere"), 0)
        eq(client.execute_command("SPUBLISH", channel, "here"), 1)
        eq(pubsub.parse_response(), [b"smessage", channel.encode(), b"here"])
        eq(client.pubsub_shardnumsub(channel), [(channel.encode(), 1)])
        eq(client.pubsub_shardchannels(channel + "*"), [channel.encode()])


@check
def handlers_in_a_thread(env, client):
    channel, pattern = name(env, "thread"), name(env, "thr*")
    heard, enough = [], threading.Event()

    def handler(message):
        heard.append((message["type"], message["data"]))
        if len(heard) == 4:
            enough.set()

    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(**{channel: handler})
    pubsub.psubscribe(**{pattern: handler})
    thread = pubsub.run_in_thread(sleep_time=0.01)
    try:
        end = time.monotonic() + 10
        while client.pubsub_numsub(channel) != [(channel.encode(), 1)] and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        client.publish(channel, 1)
        client.publish(channel, 2)
        assert enough.wait(10), heard
    finally:
        thread.stop()
        thread.join()
    eq(sorted(heard), sorted([(kind, data) for kind in ("message", "pmessage") for data in (b"1", b"2")]))


@check
def who_subscribes(env, client):
    one, two = name(env, "who.1"), name(env, "who.2")
    with client.pubsub() as first, client.pubsub() as second:
        first.subscribe(one, two)
        second.subscribe(one)
        second.psubscribe(name(env, "who.*"))
        hear(first, 2)
        hear(second, 2)
        eq(sorted(client.pubsub_channels(name(env, "who.*"))), [one.encode(), two.encode()])
        eq(client.pubsub_numsub(one, two, "none"), [(one.encode(), 2), (two.encode(), 1), (b"none", 0)])
        assert client.pubsub_numpat() >= 1
        eq(client.publish(one, "x"), 3)


@check
def published_in_a_transaction(env, client):
    channel = name(env, "tx")
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(channel)
        hear(pubsub, 1, timeout=0.5)
        with client.pipeline() as pipe:
            pipe.set("k", "v").publish(channel, "twin").publish(channel, "twin")
            eq(pipe.execute(), [True, 1, 1])
        eq([data for _, _, _, data in hear(pubsub, 2)], [b"twin", b"twin"])


@check
def ping_of_a_subscriber(env, client):
    with client.pubsub() as pubsub:
        pubsub.subscribe(name(env, "ping"))
        hear(pubsub, 1)
        pubsub.ping("hello")
        eq(hear(pubsub, 1), [("pong", None, None, b"hello")])


@check
def subscriber_comes_back(env, client):
    channel = name(env, "back")
    with client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(channel)
        hear(pubsub, 1, timeout=0.5)
        client.client_kill_filter(_type="pubsub", laddr=None, _id=pubsub_id(client, pubsub))
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                pubsub.get_message(timeout=0.1)
            except redis.ConnectionError:
                pubsub.connection.connect()
            if client.pubsub_numsub(channel) == [(channel.encode(), 1)]:
                break
        client.publish(channel, "again")
        eq(hear(pubsub, 1)[0][3], b"again")


def pubsub_id(client, pubsub):
    port = str(pubsub.connection._sock.getsockname()[1])
    return next(one["id"] for one in client.client_list() if one["addr"].endswith(":" + port))


@check
def fifty_asyncio_subscribers(env, client):
    channel = name(env, "many")

    async def main():
        async def subscriber(own, ready):
            async with own.pubsub() as pubsub:
                await pubsub.subscribe(channel)
                heard = []
                async for message in pubsub.listen():
                    if message["type"] == "subscribe":
                        ready.release()
                    else:
                        heard.append(int(message["data"]))
                    if len(heard) == 100:
                        return heard

        shared = redis.asyncio.Redis(**env.options(max_connections=60))
        ready = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(subscriber(shared, ready)) for _ in range(50)]
        for _ in tasks:
            await ready.acquire()
        for number in range(100):
            eq(await shared.publish(channel, number), 50)
        heard = await asyncio.wait_for(asyncio.gather(*tasks), 20)
        await shared.aclose()
        return heard

    eq(asyncio.run(main()), [list(range(100))] * 50)
