import threading
import time

import redis
from kit import check, eq, raises


def entries(reply):
    """XREAD and XREADGROUP, as pairs of a stream and its entries: redis-py gives a list or, in RESP3, a dictionary."""
    if isinstance(reply, dict):
        # and there a list of lists of entries
        return [(stream, [entry for part in parts for entry in part]) for stream, parts in reply.items()]
    return [(stream, list(found)) for stream, found in reply]


@check
def add_and_range(env, client):
    first = client.xadd("s", {"f": "v", b"\x00\xff": b"\r\n"})
    second = client.xadd("s", {"g": 1}, id="9999999999999-*")
    assert abs(int(first.split(b"-")[0]) / 1000 - time.time()) < 60
    eq(second, b"9999999999999-0")
    eq(client.xrange("s"), [(first, {b"f": b"v", b"\x00\xff": b"\r\n"}), (second, {b"g": b"1"})])
    eq(client.xrange("s", min="(" + first.decode()), [(second, {b"g": b"1"})])
    eq(client.xrevrange("s", count=1), [(second, {b"g": b"1"})])
    eq((client.xlen("s"), client.xdel("s", first), client.xlen("s")), (2, 1, 1))
    with raises(redis.ResponseError, "The ID specified in XADD is equal or smaller"):
        client.xadd("s", {"f": "v"}, id="1-1")
    eq(client.xadd("none", {"f": "v"}, nomkstream=True), None)
    eq(client.type("s"), b"stream")


@check
def trimming(env, client):
    for number in range(1, 21):
        client.xadd("s", {"n": number}, id=f"{number}-0")
    eq((client.xtrim("s", maxlen=15, approximate=False), client.xlen("s")), (5, 15))
    eq(client.xtrim("s", minid="11-0", approximate=False), 5)
    client.xadd("s", {"n": 21}, id="21-0", maxlen=3, approximate=False)
    eq([id for id, _ in client.xrange("s")], [b"19-0", b"20-0", b"21-0"])


@check
def read(env, client):
    client.xadd("a", {"n": 1}, id="1-1")
    client.xadd("b", {"n": 2}, id="2-2")
    eq(entries(client.xread({"a": 0, "b": 0, "c": 0})), [
        (b"a", [(b"1-1", {b"n": b"1"})]), (b"b", [(b"2-2", {b"n": b"2"})])])
    eq(entries(client.xread({"a": "1-1"}) or []), [])


@check
def blocking_read(env, client):
    begun = time.monotonic()
    eq(entries(client.xread({"s": "$"}, block=200) or []), [])
    assert 0.19 < time.monotonic() - begun < 5
    other = env.client()
    timer = threading.Timer(0.1, lambda: other.xadd("s", {"n": 1}, id="1-1"))
    timer.start()
    eq(entries(client.xread({"none": "$", "s": "$"}, block=10_000)), [(b"s", [(b"1-1", {b"n": b"1"})])])
    timer.join()


@check
def groups(env, client):
    eq(client.xgroup_create("s", "g", id="0", mkstream=True), True)
    with raises(redis.ResponseError, "BUSYGROUP Consumer Group name already exists"):
        client.xgroup_create("s", "g")
    ids = [client.xadd("s", {"n": number}) for number in range(5)]
    taken = entries(client.xreadgroup("g", "one", {"s": ">"}, count=3))
    eq([id for id, _ in taken[0][1]], ids[:3])
    eq([id for id, _ in entries(client.xreadgroup("g", "two", {"s": ">"}))[0][1]], ids[3:])
    eq(client.xack("s", "g", ids[0], ids[3]), 2)
    eq([id for id, _ in entries(client.xreadgroup("g", "one", {"s": "0"}))[0][1]], ids[1:3])
    pending = client.xpending("s", "g")
    eq((pending["pending"], pending["min"], pending["max"]), (3, ids[1], ids[4]))
    eq(sorted((one["name"], one["pending"]) for one in pending["consumers"]), [(b"one", 2), (b"two", 1)])
    listed = client.xpending_range("s", "g", min="-", max="+", count=10, consumername="one")
    eq([(one["message_id"], one["times_delivered"]) for one in listed], [(ids[1], 2), (ids[2], 2)])
    with raises(redis.ResponseError, "NOGROUP No such key 's' or consumer group 'none'"):
        client.xreadgroup("none", "one", {"s": ">"})


@check
def claims(env, client):
    client.xgroup_create("s", "g", mkstream=True)
    ids = [client.xadd("s", {"n": number}) for number in range(4)]
    client.xreadgroup("g", "dead", {"s": ">"})
    eq([id for id, _ in client.xclaim("s", "g", "heir", 0, ids[:1])], ids[:1])
    eq(client.xclaim("s", "g", "heir", 0, ids[1:2], justid=True), ids[1:2])
    eq(client.xclaim("s", "g", "heir", 60_000, ids[2:]), [])
    claimed = client.xautoclaim("s", "g", "heir", 0, start_id="0-0", count=3)
    eq([id for id, _ in claimed[1]], ids[:3])
    eq(claimed[0], ids[3])
    eq(client.xautoclaim("s", "g", "heir", 0, start_id=claimed[0])[0], b"0-0")
    eq(client.xpending("s", "g")["consumers"], [{"name": b"heir", "pending": 4}])


@check
def information(env, client):
    client.xgroup_create("s", "g", mkstream=True)
    client.xadd("s", {"n": 1}, id="1-1")
    client.xadd("s", {"n": 2}, id="2-2")
    client.xreadgroup("g", "c", {"s": ">"}, count=1)
    stream = client.xinfo_stream("s")
    eq((stream["length"], stream["last-generated-id"], stream["groups"]), (2, b"2-2", 1))
    group = client.xinfo_groups("s")[0]
    eq([group[field] for field in ("name", "consumers", "pending", "last-delivered-id", "entries-read", "lag")],
       [b"g", 1, 1, b"1-1", 1, 1])
    consumer = client.xinfo_consumers("s", "g")[0]
    eq((consumer["name"], consumer["pending"]), (b"c", 1))
    eq(client.xgroup_createconsumer("s", "g", "d"), 1)
    eq((client.xgroup_delconsumer("s", "g", "c"), client.xgroup_setid("s", "g", "0")), (1, True))
    eq((client.xgroup_destroy("s", "g"), client.xinfo_groups("s")), (1, []))


@check
def workers_of_a_group(env, client):
    """Ten workers block; each of 200 jobs is done once, a part of them added in transactions."""
    client.xgroup_create("jobs", "workers", mkstream=True)
    done, lock = [], threading.Lock()

    def work(number):
        own = env.client()
        while True:
            for _, jobs in entries(own.xreadgroup("workers", f"w{number}", {"jobs": ">"}, count=5, block=10_000)):
                for id, job in jobs:
                    own.xack("jobs", "workers", id)
                    if b"stop" in job:
                        return
                    with lock:
                        done.append(int(job[b"n"]))

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(10)]
    for thread in threads:
        thread.start()
    for number in range(0, 200, 4):
        client.xadd("jobs", {"n": number})
        with client.pipeline(transaction=number % 8 == 0) as pipe:
            for more in range(1, 4):
                pipe.xadd("jobs", {"n": number + more})
            pipe.execute()
    end = time.monotonic() + 15
    while len(done) < 200 and time.monotonic() < end:
        time.sleep(0.01)
    eq(sorted(done), list(range(200)))
    for thread in threads:
        # One "stop" at a time, so that no worker gets two.
        count = sum(thread.is_alive() for thread in threads)
        client.xadd("jobs", {"stop": 1})
        while sum(thread.is_alive() for thread in threads) == count and time.monotonic() < end + 5:
            time.sleep(0.01)
    eq(any(thread.is_alive() for thread in threads), False)
    eq(client.xpending("jobs", "workers")["pending"], 0)


@check
def unblocked(env, client):
    blocked = env.client()
    number = blocked.client_id()
    timer = threading.Timer(0.2, lambda: client.client_unblock(number))
    timer.start()
    eq(entries(blocked.xread({"s": "$"}, block=10_000) or []), [])
    timer.join()
    timer = threading.Timer(0.2, lambda: client.client_unblock(number, error=True))
    timer.start()
    with raises(redis.ResponseError, "UNBLOCKED client unblocked via CLIENT UNBLOCK"):
        blocked.xread({"s": "$"}, block=10_000)
    timer.join()
