/* main DB SERVER LOCKED_SERVER: hiredis against SERVER's database DB. */
#include "kit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT 4096

struct address server, locked;
int db;

static redisContext *opened[64];
static int open_count;
static jmp_buf check_failed;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    printf("FAIL  ");
    vprintf(format, arguments);
    va_end(arguments);
    longjmp(check_failed, 1);
}

static void render(const redisReply *reply, char *text, size_t *used) {
    size_t i;
    if (*used > TEXT - 64) return;
    if (!reply) { *used += sprintf(text + *used, "no reply"); return; }
    switch (reply->type) {
    case REDIS_REPLY_STATUS: *used += snprintf(text + *used, 60, "+%s", reply->str); break;
    case REDIS_REPLY_ERROR: *used += snprintf(text + *used, TEXT - *used - 1, "-%s", reply->str); break;
    case REDIS_REPLY_INTEGER: *used += sprintf(text + *used, ":%lld", reply->integer); break;
    case REDIS_REPLY_NIL: *used += sprintf(text + *used, "nil"); break;
    case REDIS_REPLY_STRING:
        text[(*used)++] = '"';
        for (i = 0; i < reply->len && *used < TEXT - 64; i++) {
            unsigned char byte = reply->str[i];
            *used += sprintf(text + *used, byte >= ' ' && byte < 127 ? "%c" : "\\x%02x", byte);
        }
        text[(*used)++] = '"';
        break;
    case REDIS_REPLY_ARRAY:
        text[(*used)++] = '[';
        for (i = 0; i < reply->elements; i++) {
            if (i) text[(*used)++] = ' ';
            render(reply->element[i], text, used);
        }
        text[(*used)++] = ']';
        break;
    default: *used += sprintf(text + *used, "type %d", reply->type);
    }
    text[*used] = 0;
}

static void compare(redisReply *reply, redisContext *c, const char *want, bool whole, const char *command) {
    char text[TEXT];
    size_t used = 0;
    if (reply) render(reply, text, &used);
    else snprintf(text, TEXT, "%s", c->errstr);
    if (reply) freeReplyObject(reply);
    if (whole ? strcmp(text, want) != 0 : !strstr(text, want)) fail("%s: got %.300s, want %s", command, text, want);
}

void is(redisContext *c, const char *want, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    compare(redisvCommand(c, format, arguments), c, want, true, format);
    va_end(arguments);
}

void has(redisContext *c, const char *want, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    compare(redisvCommand(c, format, arguments), c, want, false, format);
    va_end(arguments);
}

void next_is(redisContext *c, const char *want) {
    void *reply = NULL;
    redisGetReply(c, &reply);
    compare(reply, c, want, true, "pipeline");
}

long long integer(redisContext *c, const char *command) {
    redisReply *reply = redisCommand(c, command);
    long long value;
    if (!reply || reply->type != REDIS_REPLY_INTEGER) fail("%s: not an integer", command);
    value = reply->integer;
    freeReplyObject(reply);
    return value;
}

void that(bool holds, const char *what) {
    if (!holds) fail("not so: %s", what);
}

redisContext *connect_to(struct address address) {
    redisContext *c = redisConnectWithTimeout(address.host, address.port, (struct timeval){5, 0});
    if (!c || c->err) fail("connect: %s", c ? c->errstr : "no memory");
    redisSetTimeout(c, (struct timeval){30, 0});
    return opened[open_count++] = c;
}

redisContext *client(void) {
    redisContext *c = connect_to(server);
    is(c, "+OK", "SELECT %d", db);
    is(c, "+OK", "CLIENT SETNAME compat");
    return c;
}

static bool attempt(const struct check *check) {
    bool passed = setjmp(check_failed) == 0;
    if (passed) {
        redisContext *c = client();
        is(c, "+OK", "FLUSHDB");
        check->run(c);
    } else {
        printf("  in ");
    }
    printf("%s%s\n", passed ? "ok    " : "", check->name);
    fflush(stdout);
    while (open_count) redisFree(opened[--open_count]);
    return passed;
}

static struct address parse(const char *text) {
    struct address address = {"", 0};
    if (sscanf(text, "%63[^:]:%d", address.host, &address.port) != 2) exit(2);
    return address;
}

int main(int count, char **arguments) {
    const struct check *topics[] = {connection, strings, keys, transactions, server_, faults, pool};
    int passed = 0, failed = 0;
    if (count != 4) return 2;
    db = atoi(arguments[1]);
    server = parse(arguments[2]);
    locked = parse(arguments[3]);
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        for (const struct check *check = topics[i]; check->name; check++)
            *(attempt(check) ? &passed : &failed) += 1;
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}
