#include "../kit.h"
#include <unistd.h>

static void killed(redisContext *c) {
    redisContext *victim = client();
    is(c, ":1", "CLIENT KILL ID %lld", integer(victim, "CLIENT ID"));
    that(redisCommand(victim, "PING") == NULL && victim->err, "a killed connection is an error");
    that(redisReconnect(victim) == REDIS_OK, "redisReconnect works");
    is(victim, "+PONG", "PING");
    is(c, "-ERR No such client", "CLIENT KILL 127.0.0.1:1");
}

static void quit(redisContext *c) {
    redisContext *own = client();
    redisAppendCommand(own, "SET k v");
    redisAppendCommand(own, "QUIT");
    redisAppendCommand(own, "SET k never");
    next_is(own, "+OK");
    next_is(own, "+OK");
    that(redisCommand(own, "PING") == NULL && own->err, "QUIT ends the connection");
    is(c, "\"v\"", "GET k");
}

static void timeout(redisContext *c) {
    /* WRITE pauses are all a neighbour in the same run notices: its writes take 0.4 s longer */
    redisContext *impatient = client();
    redisSetTimeout(impatient, (struct timeval){0, 100000});
    is(c, "+OK", "CLIENT PAUSE 400 WRITE");
    that(redisCommand(impatient, "SET k late") == NULL && impatient->err == REDIS_ERR_IO, "a paused write times out");
    is(c, "+OK", "SET k v");
}

static void protocol_error(redisContext *c) {
    redisContext *bad = client();
    that(write(bad->fd, "*1\r\n:1\r\n", 8) == 8, "sent");
    next_is(bad, "-ERR Protocol error: expected '$', got ':'");
    next_is(bad, "Server closed the connection");
    is(c, "+PONG", "PING");
}

const struct check faults[] = {{"faults: CLIENT KILL", killed}, {"faults: QUIT", quit}, {"faults: timeout", timeout},
    {"faults: protocol error", protocol_error}, {0}};
