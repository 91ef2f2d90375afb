#include "../kit.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void expiry(redisContext *c) {
    is(c, "+OK", "SET k v");
    is(c, ":0", "EXPIRE k 100 XX");
    is(c, ":1", "EXPIRE k 100 NX");
    is(c, ":0", "EXPIRE k 200 LT");
    is(c, ":100", "TTL k");
    is(c, ":1", "PEXPIREAT k 9999999999999");
    is(c, ":10000000000", "EXPIRETIME k");
    is(c, ":9999999999999", "PEXPIRETIME k");
    is(c, ":1", "PERSIST k");
}

static void gone(redisContext *c) {
    is(c, "+OK", "SET k v PX 30");
    usleep(60000);
    is(c, "nil", "GET k");
    is(c, "[]", "KEYS *");
    is(c, ":0", "EXISTS k");
    is(c, "+OK", "SET k v NX");
}

static void scan(redisContext *c) {
    char cursor[24] = "0";
    int pages = 0, found = 0;
    for (int n = 0; n < 1000; n++) redisAppendCommand(c, "SET scan:%d %d", n, n);
    for (int n = 0; n < 1000; n++) next_is(c, "+OK");
    is(c, "+OK", "SET other 1");
    do {
        redisReply *reply = redisCommand(c, "SCAN %s MATCH scan:* COUNT 100 TYPE string", cursor);
        that(reply && reply->elements == 2, "SCAN answers cursor and keys");
        snprintf(cursor, sizeof cursor, "%s", reply->element[0]->str);
        found += reply->element[1]->elements;
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0 && ++pages < 1000);
    that(found == 1000, "SCAN finds the 1000 keys");
}

static void keyspace(redisContext *c) {
    is(c, "nil", "RANDOMKEY");
    is(c, "+OK", "SET a 1 EX 100");
    is(c, "+OK", "RENAME a b");
    is(c, ":100", "TTL b");
    is(c, "-ERR no such key", "RENAME a b");
    is(c, ":1", "COPY b a");
    is(c, ":0", "RENAMENX a b");
    is(c, "+string", "TYPE a");
    is(c, "+none", "TYPE c");
    is(c, ":2", "TOUCH a b c");
    is(c, ":2", "DBSIZE");
    is(c, ":1", "UNLINK a c");
    is(c, "\"int\"", "OBJECT ENCODING b");
    is(c, "nil", "OBJECT ENCODING c");
}

static void dump(redisContext *c) {
    redisReply *reply;
    is(c, "nil", "DUMP k");
    is(c, "+OK", "SET k %b", "\0\xff", (size_t)2);
    reply = redisCommand(c, "DUMP k");
    that(reply && reply->type == REDIS_REPLY_STRING, "DUMP answers a string");
    is(c, "-BUSYKEY Target key name already exists.", "RESTORE k 0 %b", reply->str, reply->len);
    is(c, "+OK", "RESTORE k 100000 %b REPLACE", reply->str, reply->len);
    is(c, "\"\\x00\\xff\"", "GET k");
    reply->str[reply->len - 1] ^= 1;
    is(c, "-ERR DUMP payload version or checksum are wrong", "RESTORE x 0 %b", reply->str, reply->len);
    freeReplyObject(reply);
}

const struct check keys[] = {{"keys: expiry", expiry}, {"keys: expired keys are gone", gone}, {"keys: scan", scan},
    {"keys: keyspace", keyspace}, {"keys: dump", dump}, {0}};
