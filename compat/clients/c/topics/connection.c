#include "../kit.h"
#include <stdio.h>

static void handshake(redisContext *c) {
    char want[64];
    sprintf(want, " db=%d ", db);
    has(c, want, "CLIENT INFO");
    has(c, " name=compat ", "CLIENT INFO");
}

static void basics(redisContext *c) {
    is(c, "+PONG", "PING");
    is(c, "\"a\\x00\\xff\"", "ECHO %b", "a\0\xff", (size_t)3);
    is(c, "-ERR DB index is out of range", "SELECT 9999");
    is(c, "-ERR value is not an integer or out of range", "SELECT one");
    is(c, "+RESET", "RESET");
    has(c, " name= ", "CLIENT INFO");
    has(c, " db=0 ", "CLIENT INFO");
}

static void password(redisContext *c) {
    (void)c;
    c = connect_to(locked);
    is(c, "-NOAUTH Authentication required.", "GET k");
    is(c, "-WRONGPASS invalid username-password pair or user is disabled.", "AUTH wrong");
    is(c, "+OK", "AUTH %s", PASSWORD);
    is(c, "+OK", "AUTH default %s", PASSWORD);
    is(c, "+OK", "SELECT %d", db);
    is(c, "+PONG", "PING");
}

static void needless_password(redisContext *c) {
    is(c, "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?", "AUTH x");
}

static void hello(redisContext *c) {
    has(c, "\"proto\" :2 \"id\" :", "HELLO 2 SETNAME hi");
    is(c, "\"hi\"", "CLIENT GETNAME");
    is(c, "-NOPROTO unsupported protocol version", "HELLO 4");
    has(connect_to(locked), "-NOAUTH HELLO must be called with the client already authenticated", "HELLO 2");
    has(connect_to(locked), "\"role\" \"master\"", "HELLO 2 AUTH default %s", PASSWORD);
}

const struct check connection[] = {{"connection: handshake", handshake}, {"connection: basics", basics}, {"connection: password", password},
    {"connection: needless password", needless_password}, {"connection: HELLO", hello}, {0}};
