import time

import redis
from kit import check, eq, raises


@check
def expiry(env, client):
    client.set("k", "v")
    eq((client.ttl("k"), client.ttl("none"), client.pttl("none")), (-1, -2, -2))
    eq((client.expire("k", 100), client.ttl("k") in range(95, 101)), (True, True))
    eq((client.pexpire("k", 200_000), client.pttl("k") > 190_000), (True, True))
    at = int(time.time()) + 300
    eq((client.expireat("k", at), client.expiretime("k")), (True, at))
    eq((client.pexpireat("k", at * 1000 + 7), client.pexpiretime("k")), (True, at * 1000 + 7))
    eq((client.persist("k"), client.persist("k"), client.ttl("k")), (True, False, -1))
    eq(client.expire("none", 1), False)


@check
def expiry_conditions(env, client):
    client.set("k", "v")
    eq((client.expire("k", 100, xx=True), client.expire("k", 100, nx=True)), (False, True))
    eq((client.expire("k", 50, gt=True), client.expire("k", 200, gt=True)), (False, True))
    eq((client.expire("k", 300, lt=True), client.expire("k", 100, lt=True)), (False, True))


@check
def expired_keys_are_gone(env, client):
    client.set("k", "v", px=30)
    client.set("past", "v")
    eq(client.expireat("past", 1), True)
    time.sleep(0.06)
    eq((client.get("k"), client.exists("k", "past"), client.keys("*"), client.dbsize() <= 1), (None, 0, [], True))
    eq(client.set("k", "new", nx=True), True)


@check
def scan_iter(env, client):
    client.mset({f"scan:{n}": n for n in range(1000)} | {"other": 1})
    eq(set(client.scan_iter(match="scan:*", count=50)), {b"scan:%d" % n for n in range(1000)})
    eq(len(set(client.scan_iter())), 1001)
    eq(list(client.scan_iter(match="oth[a-z]r", _type="string")), [b"other"])
    eq(list(client.scan_iter(_type="list")), [])


@check
def keyspace(env, client):
    eq(client.randomkey(), None)
    client.mset({"a": "1", "b": "2"})
    eq((client.exists("a", "b", "a", "c"), client.touch("a", "c"), client.type("a"), client.type("c")), (3, 1, b"string", b"none"))
    eq((sorted(client.keys("[ab]")), client.randomkey() in (b"a", b"b"), client.dbsize()), ([b"a", b"b"], True, 2))
    eq((client.unlink("a", "b", "c"), client.dbsize()), (2, 0))


@check
def rename_copy_move(env, client):
    client.set("a", "1", ex=100)
    eq((client.rename("a", "b"), client.ttl("b") > 90, client.exists("a")), (True, True, 0))
    client.set("a", "2")
    eq((client.renamenx("a", "b"), client.copy("a", "b"), client.copy("a", "b", replace=True)), (False, False, True))
    eq(client.get("b"), b"2")
    with raises(redis.ResponseError, "no such key"):
        client.rename("none", "x")
    other = env.client(db=15)
    mine = f"moved:{env.db}"
    other.delete(mine)
    client.set(mine, "v")
    eq((client.move(mine, 15), client.exists(mine), other.get(mine), other.delete(mine)), (True, 0, b"v", 1))
    eq((client.copy("a", mine, destination_db=15), other.getdel(mine)), (True, b"2"))


@check
def objects(env, client):
    client.mset({"int": "123", "short": "abc", "long": "x" * 45})
    eq([client.object("encoding", key) for key in ("int", "short", "long")], [b"int", b"embstr", b"raw"])
    eq(client.object("refcount", "short"), 1)
    eq(client.object("encoding", "none"), None)
    eq(client.memory_usage("long") > 45, True)


@check
def dump_restore(env, client):
    client.set("k", b"\0\xff" * 50)
    dump = client.dump("k")
    eq(client.dump("none"), None)
    eq(client.restore("copy", 100_000, dump), b"OK")
    eq((client.get("copy"), client.ttl("copy") > 90), (b"\0\xff" * 50, True))
    with raises(redis.ResponseError, "Target key name already exists."):
        client.restore("copy", 0, dump)
    eq((client.restore("copy", 0, dump, replace=True), client.ttl("copy")), (b"OK", -1))
    with raises(redis.ResponseError, "DUMP payload version or checksum are wrong"):
        client.restore("x", 0, dump[:-1] + b"!")
