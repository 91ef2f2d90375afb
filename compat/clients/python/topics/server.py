import datetime
import time

import redis
from kit import check, eq, raises


def str_(value):
    """Some replies are text or bytes depending on the release and the protocol."""
    return value.decode() if isinstance(value, bytes) else value


@check
def info(env, client):
    client.set("k", "v", ex=1000)
    info = client.info()
    eq([type(part) for part in map(int, info["redis_version"].split("."))], [int] * 3)
    eq((info.get("redis_mode") or info["server_mode"], info["role"], info["loading"]), ("standalone", "master", 0))
    eq(info["maxmemory_policy"], "noeviction")
    eq((info[f"db{env.db}"]["keys"], info[f"db{env.db}"]["expires"]), (1, 1))
    eq([type(info[field]) for field in ("used_memory", "connected_clients", "uptime_in_seconds")], [int] * 3)
    eq(set(client.info("server")) >= {"redis_version", "os", "process_id", "run_id", "tcp_port"}, True)
    eq("used_memory" in client.info("server"), False)


@check
def config(env, client):
    eq(client.config_get("databases"), {"databases": "16"})
    eq(client.config_get("maxmemory-policy"), {"maxmemory-policy": "noeviction"})
    eq(set(client.config_get("*")) >= {"save", "appendonly", "timeout", "maxclients", "proto-max-bulk-len"}, True)
    eq(client.config_get("no-such-option"), {})
    slower = client.config_get("slowlog-log-slower-than")["slowlog-log-slower-than"]
    eq(client.config_set("slowlog-log-slower-than", slower), True)
    with raises(redis.ResponseError, "Unknown option or number of arguments for CONFIG SET - 'nope'"):
        client.config_set("nope", 1)


@check
def command(env, client):
    commands = client.command()
    get, set_ = commands["get"], commands["set"]
    eq((get["arity"], get["first_key_pos"], get["last_key_pos"], get["step_count"]), (2, 1, 1, 1))
    eq({str(flag) for flag in get["flags"]}, {"readonly", "fast"})
    eq((set_["arity"], {str(flag) for flag in set_["flags"]}), (-3, {"write", "denyoom"}))
    eq(client.command_count() > 50, True)
    eq([str_(key) for key in client.command_getkeys("MSET", "a", 1, "b", 2)], ["a", "b"])
    eq(set(client.command_list()) >= {b"get", b"set", b"watch"}, True)


@check
def client_commands(env, client):
    one = env.client(single_connection_client=True, client_name="first")
    number = one.client_id()
    eq(str_(one.client_getname()), "first")
    eq(one.client_setname("second"), True)
    row = next(row for row in client.client_list() if row["id"] == str(number))
    eq((row["name"], row["db"], row["cmd"].split("|")[0] in ("client", "select")), ("second", str(env.db), True))
    eq([row["id"] for row in client.client_list(client_id=[str(number)])], [str(number)])
    with raises(redis.ResponseError, "Client names cannot contain spaces"):
        one.client_setname("a b")
    eq(bool(client.client_unblock(number)), False)
    eq(str_(one.client_no_evict("ON")), "OK")


@check
def odds_and_ends(env, client):
    seconds, micros = client.time()
    eq((abs(seconds - time.time()) < 5, 0 <= micros < 1_000_000), (True, True))
    eq(client.dbsize(), 0)
    eq(client.role()[0], b"master")
    eq(type(client.lastsave()), datetime.datetime)
    eq(client.wait(0, 10), 0)
    eq(type(client.slowlog_get()), list)
    eq(type(client.slowlog_len()), int)
    eq(" ver. " in str_(client.lolwut()), True)
    client.mset({"a": 1, "b": 2})
    eq((client.flushdb(asynchronous=True), client.dbsize()), (True, 0))


@check
def errors(env, client):
    with raises(redis.ResponseError, "unknown command 'NOSUCH', with args beginning with: 'a' 'b' "):
        client.execute_command("NOSUCH", "a", "b")
    with raises(redis.ResponseError, "wrong number of arguments for 'get' command"):
        client.execute_command("GET")
    with raises(redis.ResponseError, "syntax error"):
        client.execute_command("SET", "k", "v", "NOPE")
    with raises(redis.ResponseError, "unknown subcommand 'NOSUCH'. Try CLIENT HELP."):
        client.execute_command("CLIENT", "NOSUCH")
    with raises(redis.ResponseError, "This instance has cluster support disabled"):
        client.execute_command("CLUSTER", "INFO")
    eq(client.ping(), True)
