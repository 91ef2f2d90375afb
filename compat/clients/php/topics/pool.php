<?php

topic('pool', [
    'fifty connections' => function (Env $env, Redis $redis) {
        $all = array_map(fn ($_) => $env->client(), range(1, 50));
        for ($round = 0; $round < 10; $round++) {
            foreach ($all as $own) {
                $own->incr('n');
            }
        }
        eq($redis->get('n'), '500');
    },
    'parallel processes' => function (Env $env, Redis $redis) {
        // PHP has one request per process, so parallel clients are processes
        $code = '$r = new Redis(); $r->connect($argv[1], (int) $argv[2]); $r->select((int) $argv[3]);'
            . 'for ($i = 0; $i < 200; $i++) { $r->incr("n"); $r->multi()->incr("m")->incrByFloat("f", 0.5)->exec(); }';
        $arguments = [...$GLOBALS['php'], '-r', $code, ...explode(':', $env->server), (string) $env->db];
        $processes = array_map(fn ($_) => proc_open($arguments, [], $pipes), range(1, 5));
        eq(array_map('proc_close', $processes), [0, 0, 0, 0, 0]);
        eq($redis->mGet(['n', 'm', 'f']), ['1000', '1000', '500']);
    },
]);
