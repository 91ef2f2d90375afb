import redis
from kit import check, eq, raises


@check
def pipeline_of_1000(env, client):
    pipe = client.pipeline(transaction=False)
    for n in range(500):
        pipe.set(f"p:{n}", n).get(f"p:{n}")
    eq(pipe.execute(), [x for n in range(500) for x in (True, b"%d" % n)])


@check
def transaction_of_1000(env, client):
    pipe = client.pipeline()
    for _ in range(1000):
        pipe.incr("n")
    eq(pipe.execute(), list(range(1, 1001)))


@check
def pipeline_with_error(env, client):
    replies = client.pipeline(transaction=False).set("k", "text").incr("k").get("k").execute(raise_on_error=False)
    eq((replies[0], type(replies[1]), replies[2]), (True, redis.ResponseError, b"text"))


@check
def multi_with_error_inside(env, client):
    replies = client.pipeline().set("k", "text").incr("k").append("k", "!").execute(raise_on_error=False)
    eq((replies[0], str(replies[1]), replies[2]), (True, "value is not an integer or out of range", 5))
    with raises(redis.ResponseError, "Command # 2 (INCRBY k 1) of pipeline caused error: value is not an integer"):
        client.pipeline().set("k", "text").incr("k").execute()
    eq(client.get("k"), b"text")


@check
def execabort(env, client):
    pipe = client.pipeline().set("k", "v").execute_command("SET", "k")
    with raises(redis.ResponseError, "wrong number of arguments for 'set' command"):
        pipe.execute()
    with client.client() as one:
        one.execute_command("MULTI")
        with raises(redis.ResponseError, "unknown command 'NOSUCH'"):
            one.execute_command("NOSUCH")
        with raises(redis.exceptions.ExecAbortError, "Transaction discarded because of previous errors."):
            one.execute_command("EXEC")
        one.execute_command("MULTI")
        one.execute_command("SET", "k", "v")
        one.execute_command("DISCARD")
        with raises(redis.ResponseError, "EXEC without MULTI"):
            one.execute_command("EXEC")
    eq(client.exists("k"), 0)


@check
def watch_conflict(env, client):
    client.set("k", "1")
    with client.pipeline() as pipe:
        pipe.watch("k")
        eq(pipe.get("k"), b"1")
        env.client().set("k", "2")
        pipe.multi()
        pipe.set("k", "3")
        with raises(redis.WatchError):
            pipe.execute()
        pipe.watch("k")
        pipe.multi()
        pipe.set("k", "4")
        eq(pipe.execute(), [True])
        pipe.watch("k")
        pipe.unwatch()
        env.client().set("k", "5")
        pipe.multi()
        pipe.set("k", "6")
        eq(pipe.execute(), [True])
    eq(client.get("k"), b"6")


@check
def watch_missing_key(env, client):
    with client.pipeline() as pipe:
        pipe.watch("none")
        env.client().set("none", "1")
        pipe.multi()
        pipe.get("none")
        with raises(redis.WatchError):
            pipe.execute()


@check
def transaction_helper(env, client):
    disturbed = []

    def double(pipe):
        value = int(pipe.get("n"))
        if not disturbed:
            disturbed.append(env.client().set("n", 10))
        pipe.multi()
        pipe.set("n", value * 2)

    client.set("n", 1)
    eq(client.transaction(double, "n"), [True])
    eq((client.get("n"), disturbed), (b"20", [True]))


@check
def lock(env, client):
    def release(token):
        def delete(pipe):
            same = pipe.get("lock") == token
            pipe.multi()
            if same:
                pipe.delete("lock")
        return client.transaction(delete, "lock")

    eq(client.set("lock", "me", nx=True, px=10_000), True)
    eq(env.client().set("lock", "you", nx=True, px=10_000), None)
    eq(release(b"you"), [])
    eq(release(b"me"), [1])
    eq(env.client().set("lock", "you", nx=True, px=10_000), True)
