<?php

topic('transactions', [
    'pipeline of 1000' => function (Env $env, Redis $redis) {
        $pipeline = $redis->pipeline();
        $want = [];
        for ($n = 0; $n < 500; $n++) {
            $pipeline->set("p:$n", (string) $n)->get("p:$n");
            array_push($want, true, (string) $n);
        }
        eq($pipeline->exec(), $want);
    },
    'transaction of 1000' => function (Env $env, Redis $redis) {
        $multi = $redis->multi();
        for ($n = 0; $n < 1000; $n++) {
            $multi->incr('n');
        }
        eq($multi->exec(), range(1, 1000));
    },
    'error inside' => function (Env $env, Redis $redis) {
        eq($redis->pipeline()->set('k', 'text')->incr('k')->get('k')->exec(), [true, false, 'text']);
        eq($redis->multi()->set('k', 'text')->incr('k')->append('k', '!')->exec(), [true, false, 5]);
        eq(rtrim($redis->getLastError(), "\0"), 'ERR value is not an integer or out of range');
    },
    'multi inside a pipeline' => function (Env $env, Redis $redis) {
        eq($redis->pipeline()->set('k', 'v')->multi()->get('k')->incr('n')->exec()->get('k')->exec(), [true, ['v', 1], 'v']);
    },
    'execabort' => function (Env $env, Redis $redis) {
        $redis->rawCommand('MULTI');
        eq([$redis->rawCommand('NOSUCH'), $redis->rawCommand('SET', 'k', 'v')], [false, true]);
        fails($redis, 'EXECABORT Transaction discarded because of previous errors.', fn ($redis) => $redis->rawCommand('EXEC'));
        $redis->multi()->set('k', 'v');
        eq([$redis->discard(), $redis->exists('k')], [true, 0]);
    },
    'watch conflict' => function (Env $env, Redis $redis) {
        $other = $env->client();
        $redis->watch('k');
        $other->set('k', '2');
        eq([$redis->multi()->set('k', '3')->exec(), $redis->get('k')], [false, '2']);
        $redis->watch(['k', 'l']);
        eq($redis->multi()->set('k', '4')->exec(), [true]);
        $redis->watch('k');
        eq([$redis->unwatch(), $other->set('k', '5'), $redis->multi()->get('k')->exec()], [true, true, ['5']]);
    },
    'lock' => function (Env $env, Redis $me) {
        $you = $env->client();
        $release = function (Redis $owner, string $token) {
            $owner->watch('lock');
            return $owner->get('lock') === $token ? $owner->multi()->del('lock')->exec() : $owner->unwatch();
        };
        eq([$me->set('lock', 'me', ['nx', 'px' => 10_000]), $you->set('lock', 'you', ['nx', 'px' => 10_000])], [true, false]);
        eq([$release($you, 'you'), $release($me, 'me'), $you->set('lock', 'you', ['nx', 'px' => 10_000])], [true, [1], true]);
    },
]);
