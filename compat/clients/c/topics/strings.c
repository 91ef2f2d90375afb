#include "../kit.h"
#include <stdlib.h>

static void binary(redisContext *c) {
    is(c, "+OK", "SET %b %b", "k\0\xff", (size_t)3, "\r\n$-1\r\n\0\xfe", (size_t)9);
    is(c, "\"\\x0d\\x0a$-1\\x0d\\x0a\\x00\\xfe\"", "GET %b", "k\0\xff", (size_t)3);
    is(c, "[\"k\\x00\\xff\"]", "KEYS *");
    is(c, "+OK", "SET %s %s", "", "");
    is(c, "\"\"", "GET %s", "");
}

static void megabyte(redisContext *c) {
    size_t size = 1 << 20;
    char *value = malloc(size);
    redisReply *reply;
    for (size_t i = 0; i < size; i++) value[i] = i * 31;
    is(c, "+OK", "SET big %b", value, size);
    reply = redisCommand(c, "GET big");
    bool same = reply && reply->len == size && memcmp(reply->str, value, size) == 0;
    freeReplyObject(reply);
    free(value);
    that(same, "a megabyte comes back");
}

static void options(redisContext *c) {
    is(c, "nil", "SET k 1 XX");
    is(c, "+OK", "SET k 1 NX");
    is(c, "nil", "SET k 2 NX");
    is(c, "\"1\"", "SET k 2 GET");
    is(c, "\"2\"", "SET k 3 NX GET");
    is(c, "+OK", "SET k 4 PX 100000");
    is(c, "+OK", "SET k 5 KEEPTTL");
    is(c, ":100", "TTL k");
    is(c, "-ERR invalid expire time in 'set' command", "SET k v EX 0");
    is(c, "-ERR syntax error", "SET k v EX 1 PX 1");
    is(c, "\"5\"", "GETEX k PERSIST");
    is(c, ":-1", "TTL k");
    is(c, "\"5\"", "GETDEL k");
    is(c, "nil", "GETDEL k");
}

static void several(redisContext *c) {
    is(c, "+OK", "MSET a 1 b 2");
    is(c, ":0", "MSETNX b 3 c 3");
    is(c, "[\"1\" \"2\" nil]", "MGET a b c");
    is(c, ":3", "APPEND a bc");
    is(c, "\"bc\"", "GETRANGE a 1 -1");
    is(c, ":5", "SETRANGE a 4 x");
    is(c, "\"1bc\\x00x\"", "GET a");
    is(c, "+OK", "MSET x ohmytext y mynewtext");
    is(c, "[\"matches\" [[[:4 :7] [:5 :8] :4]] \"len\" :6]", "LCS x y IDX MINMATCHLEN 4 WITHMATCHLEN");
}

static void counters(redisContext *c) {
    is(c, ":10", "INCRBY n 10");
    is(c, ":9", "DECR n");
    is(c, "\"10.5\"", "INCRBYFLOAT n 1.5");
    is(c, "-ERR value is not an integer or out of range", "INCR n");
    is(c, "\"5200\"", "INCRBYFLOAT f 5.2e3");
    is(c, "\"3.0000000000000005\"", "INCRBYFLOAT l 3.0000000000000005");
    is(c, "+OK", "SET n 9223372036854775807");
    is(c, "-ERR increment or decrement would overflow", "INCR n");
}

static void bits(redisContext *c) {
    is(c, ":0", "SETBIT b 7 1");
    is(c, ":1", "GETBIT b 7");
    is(c, ":1", "BITCOUNT b 0 -1 BYTE");
    is(c, ":7", "BITPOS b 1");
    is(c, ":1", "BITOP NOT c b");
    is(c, "\"\\xfe\"", "GET c");
    is(c, "[:0 :10 :12]", "BITFIELD f SET u8 0 200 INCRBY u8 #1 10 GET u4 0");
    is(c, "[nil :255]", "BITFIELD f OVERFLOW FAIL INCRBY u8 0 100 OVERFLOW SAT INCRBY u8 0 100");
}

const struct check strings[] = {{"strings: binary", binary}, {"strings: megabyte", megabyte}, {"strings: options", options},
    {"strings: several", several}, {"strings: counters", counters}, {"strings: bits", bits}, {0}};
