import redis
from kit import ONCE, PASSWORD, check, eq, raises


@check
def handshake(env, client):
    info = client.client_info()
    eq((info["name"], info["db"], int(info["resp"])), ("compat", env.db, env.protocol))
    if env.since((7, 2)):
        eq((info["lib-name"], info["lib-ver"]), ("redis-py", redis.__version__))


@check
def ping_echo_select(env, client):
    eq(client.ping(), True)
    eq(client.echo(b"\0\xff"), b"\0\xff")
    client.set("where", "own")
    eq(env.client(db=15).exists("where"), 0)


@check
def default_connection(env, client):
    plain = redis.Redis(host=env.host, port=int(env.port))
    eq(plain.ping(), True)
    eq(plain.client_info()["db"], 0)
    eq(plain.client_getname(), None)
    plain.close()


@check
def decode_responses(env, client):
    text = env.client(decode_responses=True)
    text.set("k", "grüße")
    eq(text.get("k"), "grüße")
    eq(client.get("k"), "grüße".encode())


@check
def password(env, client):
    locked = env.locked_client(password=PASSWORD)
    info = locked.client_info()
    eq((info["name"], info["db"], info["user"]), ("compat", env.db, "default"))
    eq(env.locked_client(username="default", password=PASSWORD).ping(), True)


@check
def password_in_url(env, client):
    url = redis.Redis.from_url(f"redis://:{PASSWORD}@{env.locked}/{env.db}?protocol={env.protocol}")
    eq(url.client_info()["db"], env.db)
    url.close()


@check
def no_password(env, client):
    with raises(redis.AuthenticationError, "Authentication required" if env.protocol == 2 else "HELLO must be called"):
        env.locked_client(client_name=None, db=0, retry=ONCE).ping()


@check
def wrong_password(env, client):
    with raises(redis.AuthenticationError, "invalid username-password pair or user is disabled."):
        env.locked_client(password="wrong", retry=ONCE).ping()


@check
def bad_database(env, client):
    with raises(redis.ResponseError, "DB index is out of range"):
        env.client(db=9999).ping()
