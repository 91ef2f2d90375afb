#include "../kit.h"
#include <stdio.h>

static void info(redisContext *c) {
    char want[32];
    sprintf(want, "db%d:keys=1,expires=0", db);
    is(c, "+OK", "SET k v");
    has(c, want, "INFO keyspace");
    has(c, "redis_version:", "INFO server");
    has(c, "maxmemory_policy:noeviction", "INFO memory");
    has(c, "role:master\\x0d\\x0a", "INFO replication");
}

static void config(redisContext *c) {
    is(c, "[\"databases\" \"16\"]", "CONFIG GET databases");
    is(c, "[]", "CONFIG GET none");
    has(c, "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'", "CONFIG SET nope 1");
}

static void command(redisContext *c) {
    has(c, "[[\"get\" :2 [+readonly +fast] :1 :1 :1 [+@read +@string +@fast]", "COMMAND INFO get");
    is(c, "[\"a\" \"b\"]", "COMMAND GETKEYS MSET a 1 b 2");
    that(integer(c, "COMMAND COUNT") > 50, "more than 50 commands");
}

static void clients(redisContext *c) {
    that(integer(c, "CLIENT ID") > 0, "a client has an id");
    is(c, "-ERR Client names cannot contain spaces, newlines or special characters.", "CLIENT SETNAME %s", "a b");
    is(c, ":0", "CLIENT UNBLOCK %lld", integer(c, "CLIENT ID"));
    is(c, "+OK", "CLIENT NO-EVICT ON");
    redisAppendCommand(c, "CLIENT REPLY OFF");
    redisAppendCommand(c, "SET k silent");
    redisAppendCommand(c, "CLIENT REPLY ON");
    next_is(c, "+OK");
    is(c, "\"silent\"", "GET k");
}

static void odds(redisContext *c) {
    is(c, "[\"master\" :0 []]", "ROLE");
    is(c, ":0", "WAIT 0 10");
    has(c, " ver. ", "LOLWUT");
    that(integer(c, "LASTSAVE") > 0, "LASTSAVE is a time");
}

static void errors(redisContext *c) {
    is(c, "-ERR unknown command 'NOSUCH', with args beginning with: 'a' ", "NOSUCH a");
    is(c, "-ERR wrong number of arguments for 'get' command", "GET");
    is(c, "-ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.", "CLIENT NOSUCH");
    is(c, "-ERR wrong number of arguments for 'client|setname' command", "CLIENT SETNAME");
    is(c, "-ERR This instance has cluster support disabled", "CLUSTER INFO");
}

const struct check server_[] = {{"server: INFO", info}, {"server: CONFIG", config}, {"server: COMMAND", command},
    {"server: CLIENT", clients}, {"server: odds and ends", odds}, {"server: errors", errors}, {0}};
