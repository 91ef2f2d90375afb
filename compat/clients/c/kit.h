/* Checks on replies of hiredis, compared as text:
 * +status  -error  :integer  "bulk" (other bytes as \xNN)  nil  [array] */
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <string.h>

#define PASSWORD "secret"

struct address { char host[64]; int port; };
struct check { const char *name; void (*run)(redisContext *); };

extern struct address server, locked;
extern int db;

/* Connected, on the run's database, named "compat"; closed when the check ends. */
redisContext *client(void);
redisContext *connect_to(struct address);

/* The command's reply must be WANT. The command is a format as of redisCommand. */
void is(redisContext *, const char *want, const char *format, ...);
/* WANT must be a part of it. */
void has(redisContext *, const char *want, const char *format, ...);
/* The next reply of a pipeline. */
void next_is(redisContext *, const char *want);
long long integer(redisContext *, const char *command);
void that(bool, const char *what);

extern const struct check connection[], strings[], keys[], transactions[], server_[], faults[], pool[];
