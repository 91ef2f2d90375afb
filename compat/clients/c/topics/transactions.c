#include "../kit.h"
#include <stdio.h>

static void pipeline(redisContext *c) {
    char want[16];
    for (int n = 0; n < 500; n++) {
        redisAppendCommand(c, "SET p:%d %d", n, n);
        redisAppendCommand(c, "GET p:%d", n);
    }
    for (int n = 0; n < 500; n++) {
        sprintf(want, "\"%d\"", n);
        next_is(c, "+OK");
        next_is(c, want);
    }
}

static void error_inside(redisContext *c) {
    is(c, "+OK", "MULTI");
    is(c, "+QUEUED", "SET k text");
    is(c, "+QUEUED", "INCR k");
    is(c, "[+OK -ERR value is not an integer or out of range]", "EXEC");
    is(c, "-ERR EXEC without MULTI", "EXEC");
    is(c, "-ERR DISCARD without MULTI", "DISCARD");
}

static void execabort(redisContext *c) {
    is(c, "+OK", "MULTI");
    is(c, "-ERR wrong number of arguments for 'set' command", "SET k");
    is(c, "+QUEUED", "SET k v");
    is(c, "-EXECABORT Transaction discarded because of previous errors.", "EXEC");
    is(c, "+OK", "MULTI");
    is(c, "+QUEUED", "SET k v");
    is(c, "+OK", "DISCARD");
    is(c, ":0", "EXISTS k");
    is(c, "+OK", "MULTI");
    is(c, "[]", "EXEC");
}

static void watch(redisContext *c) {
    redisContext *other = client();
    is(c, "+OK", "WATCH k l");
    is(other, "+OK", "SET l 1");
    is(c, "+OK", "MULTI");
    is(c, "+QUEUED", "SET k 1");
    is(c, "nil", "EXEC");
    is(c, "+OK", "WATCH k");
    is(other, "+OK", "SET k 2");
    is(c, "+OK", "UNWATCH");
    is(c, "+OK", "MULTI");
    is(c, "+QUEUED", "GET k");
    is(c, "[\"2\"]", "EXEC");
}

static void lock(redisContext *me) {
    redisContext *you = client();
    is(me, "+OK", "SET lock me NX PX 10000");
    is(you, "nil", "SET lock you NX PX 10000");
    is(me, "+OK", "WATCH lock");
    is(me, "\"me\"", "GET lock");
    is(me, "+OK", "MULTI");
    is(me, "+QUEUED", "DEL lock");
    is(me, "[:1]", "EXEC");
    is(you, "+OK", "SET lock you NX PX 10000");
}

const struct check transactions[] = {{"transactions: pipeline", pipeline}, {"transactions: error inside", error_inside},
    {"transactions: EXECABORT", execabort}, {"transactions: WATCH", watch}, {"transactions: lock", lock}, {0}};
