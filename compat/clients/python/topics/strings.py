import time

import redis
from kit import check, eq, raises

BINARY = bytes(range(256)) + b"\r\n$-1\r\n\0"


@check
def binary(env, client):
    eq(client.set(BINARY, BINARY), True)
    eq(client.get(BINARY), BINARY)
    eq(client.keys("*"), [BINARY])
    eq(client.mget(BINARY, b"\xff\xfe", "k"), [BINARY, None, None])


@check
def empty(env, client):
    client.set("", "")
    eq((client.get(""), client.exists(""), client.strlen("")), (b"", 1, 0))


@check
def megabyte(env, client):
    value = BINARY * 4000
    client.set("big", value)
    eq(client.get("big") == value, True)
    eq(client.getrange("big", 500_000, 500_009), value[500_000:500_010])


@check
def set_conditions(env, client):
    eq(client.set("k", "1", xx=True), None)
    eq(client.set("k", "1", nx=True), True)
    eq(client.set("k", "2", nx=True), None)
    eq(client.set("k", "2", xx=True), True)
    eq(client.set("k", "3", get=True), b"2")
    eq(client.set("k", "4", nx=True, get=True), b"3")
    eq(client.set("new", "1", nx=True, get=True), None)
    eq((client.get("k"), client.get("new")), (b"3", b"1"))


@check
def set_expiry(env, client):
    client.set("ex", "v", ex=100)
    client.set("px", "v", px=100_000)
    client.set("exat", "v", exat=int(time.time()) + 100)
    client.set("pxat", "v", pxat=int(time.time() * 1000) + 100_000)
    eq([95 <= client.ttl(key) <= 100 for key in ("ex", "px", "exat", "pxat")], [True] * 4)
    client.set("ex", "v2", keepttl=True)
    eq(client.ttl("ex") > 90, True)
    client.set("ex", "v3")
    eq(client.ttl("ex"), -1)
    with raises(redis.ResponseError, "invalid expire time in 'set' command"):
        client.set("k", "v", ex=0)


@check
def legacy_setters(env, client):
    eq(client.setnx("k", "a"), True)
    eq(client.setnx("k", "b"), False)
    eq(client.setex("k", 100, "c"), True)
    eq(client.psetex("k", 100_000, "d"), True)
    eq(client.getset("k", "e"), b"d")
    eq(client.ttl("k"), -1)


@check
def getex_getdel(env, client):
    client.set("k", "v")
    eq((client.getex("k", ex=50), client.ttl("k") > 40), (b"v", True))
    eq((client.getex("k", persist=True), client.ttl("k")), (b"v", -1))
    eq((client.getdel("k"), client.getdel("k")), (b"v", None))


@check
def many(env, client):
    eq(client.mset({"a": 1, "b": 2}), True)
    eq(client.msetnx({"b": 3, "c": 3}), False)
    eq(client.msetnx({"d": 4, "e": 5}), True)
    eq(client.mget("a", "b", "c", "d"), [b"1", b"2", None, b"4"])
    eq(client.delete("a", "b", "c"), 2)


@check
def ranges(env, client):
    eq(client.append("k", "Hello"), 5)
    eq(client.append("k", " World"), 11)
    eq(client.getrange("k", -5, -1), b"World")
    eq(client.setrange("k", 6, "Redis"), 11)
    eq(client.setrange("pad", 3, "x"), 4)
    eq((client.get("k"), client.get("pad")), (b"Hello Redis", b"\0\0\0x"))
    eq(client.substr("k", 0, 4), b"Hello")


@check
def lcs(env, client):
    client.mset({"a": "ohmytext", "b": "mynewtext"})
    eq(client.lcs("a", "b"), b"mytext")
    eq(client.lcs("a", "b", len=True), 6)
    matches = client.lcs("a", "b", idx=True, minmatchlen=4, withmatchlen=True)
    matches = matches if isinstance(matches, dict) else dict(zip(matches[::2], matches[1::2]))
    eq(matches, {b"matches": [[[4, 7], [5, 8], 4]], b"len": 6})


@check
def counters(env, client):
    eq((client.incr("n"), client.incrby("n", 9), client.decr("n"), client.decrby("n", 4)), (1, 10, 9, 5))
    client.set("n", 2**63 - 1)
    with raises(redis.ResponseError, "increment or decrement would overflow"):
        client.incr("n")
    client.set("n", "ten")
    with raises(redis.ResponseError, "value is not an integer or out of range"):
        client.incr("n")


@check
def float_counters(env, client):
    eq(client.incrbyfloat("f", 10.5), 10.5)
    eq(client.incrbyfloat("f", 0.1), 10.6)
    eq(client.get("f"), b"10.6")
    client.set("f", "5.0e3")
    eq(client.incrbyfloat("f", 200), 5200.0)
    with raises(redis.ResponseError, "value is not a valid float"):
        client.set("f", "abc")
        client.incrbyfloat("f", 1)


@check
def bitmaps(env, client):
    eq((client.setbit("b", 7, 1), client.setbit("b", 7, 0), client.setbit("b", 9, 1)), (0, 1, 0))
    eq((client.getbit("b", 9), client.getbit("b", 9999)), (1, 0))
    client.set("m", "foobar")
    eq((client.bitcount("m"), client.bitcount("m", 1, 1), client.bitcount("m", 5, 30, "BIT")), (26, 6, 17))
    client.set("p", b"\xff\xf0\x00")
    eq((client.bitpos("p", 0), client.bitpos("p", 1, 2)), (12, -1))
    client.mset({"x": "abc", "y": "a"})
    eq((client.bitop("AND", "z", "x", "y"), client.get("z")), (3, b"a\0\0"))
    eq((client.bitop("NOT", "z", "y"), client.get("z")), (1, b"\x9e"))


@check
def bitfield(env, client):
    eq(client.bitfield("f").set("u8", 0, 200).incrby("u8", "#1", 10).get("u4", 0).execute(), [0, 10, 12])
    eq(client.bitfield("f", default_overflow="FAIL").incrby("u8", 0, 100).execute(), [None])
    eq(client.bitfield("f").overflow("SAT").incrby("u8", 0, 100).execute(), [255])
    eq(client.bitfield_ro("f", "u8", 0), [255])
