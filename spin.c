#define _GNU_SOURCE
#include <sched.h>
#include <pthread.h>
#include <unistd.h>
static void *f(void *a){ long c=(long)a; cpu_set_t s; CPU_ZERO(&s); CPU_SET(c,&s); sched_setaffinity(0,sizeof s,&s);
 struct sched_param p={0}; sched_setscheduler(0,SCHED_IDLE,&p); for(;;){__builtin_ia32_pause();} }
int main(){pthread_t t; pthread_create(&t,0,f,(void*)0L); pthread_create(&t,0,f,(void*)1L); pause();}
