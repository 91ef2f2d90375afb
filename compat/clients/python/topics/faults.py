import redis
from kit import ONCE, check, eq, raises
from redis.backoff import NoBackoff
from redis.retry import Retry


@check
def reconnects_after_client_kill(env, client):
    victim = env.client(single_connection_client=True, retry=Retry(NoBackoff(), 1), retry_on_error=[redis.ConnectionError])
    number = victim.client_id()
    eq(client.client_kill_filter(_id=str(number)), 1)
    eq(victim.set("k", "v"), True)
    eq((victim.client_id() != number, victim.client_info()["db"], victim.get("k")), (True, env.db, b"v"))


@check
def kill_without_retry_is_a_connection_error(env, client):
    victim = env.client(single_connection_client=True, retry=ONCE)
    eq(client.client_kill_filter(_id=str(victim.client_id())), 1)
    with raises(redis.ConnectionError):
        victim.get("k")
    eq(victim.get("k"), None)


@check
def kill_between_watch_and_exec(env, client):
    with client.pipeline() as pipe:
        pipe.watch("k")
        number = pipe.immediate_execute_command("CLIENT", "ID")
        env.client().client_kill_filter(_id=str(number))
        pipe.multi()
        pipe.set("k", "v")
        with raises(redis.WatchError):
            pipe.execute()
    eq(client.exists("k"), 0)


@check
def server_closes(env, client):
    one = env.client(single_connection_client=True, retry=Retry(NoBackoff(), 1), retry_on_error=[redis.ConnectionError])
    eq(one.execute_command("QUIT") in (True, b"OK", "OK"), True)
    eq(one.ping(), True)


@check
def timeout(env, client):
    # WRITE pauses are all a neighbour in the same run notices: its writes take 0.4 s longer
    impatient = env.client(socket_timeout=0.1, retry=ONCE)
    impatient.ping()
    client.client_pause(400, all=False)
    with raises(redis.TimeoutError):
        impatient.set("k", "late")
    eq(impatient.get("other"), None)
    eq(client.set("k", "v"), True)
    eq(impatient.get("k"), b"v")


@check
def connection_refused(env, client):
    with raises(redis.ConnectionError):
        env.client(port=1, retry=ONCE).ping()
