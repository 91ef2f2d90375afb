<?php

topic('faults', [
    'reconnects after CLIENT KILL' => function (Env $env, Redis $redis) {
        // phpredis repeats AUTH and SELECT by itself, but not CLIENT SETNAME
        $victim = $env->client();
        $id = $victim->rawCommand('CLIENT', 'ID');
        eq($redis->rawCommand('CLIENT', 'KILL', 'ID', $id), 1);
        eq([$victim->set('k', 'v'), $redis->get('k')], [true, 'v']);
        eq($victim->rawCommand('CLIENT', 'ID') > $id, true);
    },
    'killed inside MULTI' => function (Env $env, Redis $redis) {
        $victim = $env->client();
        $victim->multi()->set('k', 'v');
        $rows = array_filter($redis->client('list'), fn ($row) => $row['cmd'] === 'set' && (int) $row['db'] === $env->db);
        eq($redis->rawCommand('CLIENT', 'KILL', 'ID', current($rows)['id']), 1);
        try {
            eq($victim->exec(), false);
        } catch (RedisException) {
        }
        eq($redis->exists('k'), 0);
    },
    'timeout' => function (Env $env, Redis $redis) {
        // WRITE pauses are all a neighbour in the same run notices: its writes take 0.4 s longer
        $impatient = $env->client();
        $impatient->setOption(Redis::OPT_READ_TIMEOUT, 0.1);
        $redis->rawCommand('CLIENT', 'PAUSE', 400, 'WRITE');
        fails($impatient, 'read error on connection', fn ($impatient) => $impatient->set('k', 'late'));
        eq([$impatient->get('none'), $redis->set('k', 'v'), $redis->get('k')], [false, true, 'v']);
    },
    'connection refused' => function (Env $env) {
        try {
            $env->connect('127.0.0.1:1', 1);
            eq('connected', 'refused');
        } catch (RedisException $error) {
            eq($error->getMessage(), 'Connection refused');
        }
    },
]);
