#include "../kit.h"
#include <pthread.h>

static void *count(void *context) {
    for (int n = 0; n < 20; n++) freeReplyObject(redisCommand(context, "INCR n"));
    return NULL;
}

static void fifty_threads(redisContext *c) {
    pthread_t threads[50];
    for (int i = 0; i < 50; i++) that(pthread_create(&threads[i], NULL, count, client()) == 0, "thread starts");
    for (int i = 0; i < 50; i++) pthread_join(threads[i], NULL);
    is(c, "\"1000\"", "GET n");
}

const struct check pool[] = {{"pool: fifty threads", fifty_threads}, {0}};
