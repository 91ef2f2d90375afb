"""Collects checks, hands them a server, counts. A topic module imports `check`, `eq` and `raises`."""

import contextlib
import logging
import traceback

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PASSWORD = "secret"
ONCE = Retry(NoBackoff(), 0)
CHECKS = []
# redis-py says aloud what its subscribers hear
logging.getLogger("push_response").setLevel(logging.WARNING)


def check(function):
    CHECKS.append(function)
    return function


def eq(got, want):
    if got != want:
        raise AssertionError(f"got {got!r:.300}, want {want!r:.300}")


@contextlib.contextmanager
def raises(kind, text=""):
    try:
        yield
    except kind as error:
        if type(error) is not kind or text not in str(error):
            raise AssertionError(f"got {type(error).__name__}: {error}, want {kind.__name__} with {text!r}") from error
    else:
        raise AssertionError(f"nothing raised, want {kind.__name__}")


class Env:
    """The servers under test and how this run talks to them."""

    def __init__(self, server, db, protocol, locked):
        self.host, self.port = server.rsplit(":", 1)
        self.locked, self.db, self.protocol = locked, db, protocol
        self.clients = []

    def options(self, **more):
        defaults = {"db": self.db, "protocol": self.protocol, "client_name": "compat", "socket_timeout": 30}
        return {"host": self.host, "port": int(self.port)} | defaults | more

    def client(self, **more):
        client = redis.Redis(**self.options(**more))
        self.clients.append(client)
        return client

    def locked_client(self, **more):
        host, port = self.locked.rsplit(":", 1)
        return self.client(**{"host": host, "port": int(port)} | more)

    def since(self, version):
        have = self.client().info("server")["redis_version"]
        return tuple(map(int, have.split("."))) >= version

    def close(self):
        for client in self.clients:
            client.close()


def run(env):
    """Runs every check on an empty database; returns how many passed and failed."""
    passed = failed = 0
    for function in CHECKS:
        name = f"RESP{env.protocol} {function.__module__.split('.')[-1]}: {function.__name__.replace('_', ' ')}"
        try:
            client = env.client()
            client.flushdb()
            function(env, client)
            passed += 1
            print(f"ok    {name}", flush=True)
        except Exception as error:  # a check may fail in any way; the run goes on
            failed += 1
            line = traceback.extract_tb(error.__traceback__)[-1 if error.__traceback__.tb_next is None else 1].lineno
            print(f"FAIL  {name} (line {line}): {type(error).__name__}: {error}", flush=True)
        finally:
            env.close()
            env.clients.clear()
    return passed, failed
