<?php

topic('connection', [
    'select and name' => function (Env $env, Redis $redis) {
        eq([$redis->client('getname'), $redis->getDbNum()], ['compat', $env->db]);
        eq(preg_match("/ name=compat .* db={$env->db} /", $redis->rawCommand('CLIENT', 'INFO')), 1);
    },
    'ping, echo' => function (Env $env, Redis $redis) {
        eq([$redis->ping(), $redis->ping('hi'), $redis->echo("\0\xff")], [true, 'hi', "\0\xff"]);
        $redis->set('where', 'own');
        eq([$redis->select(15), $redis->exists('where')], [true, 0]);
    },
    'password' => function (Env $env) {
        $redis = $env->connect($env->locked);
        eq([$redis->auth(PASSWORD), $redis->select($env->db), $redis->ping()], [true, true, true]);
        eq($env->connect($env->locked)->auth(['default', PASSWORD]), true);
    },
    'password in constructor options' => function (Env $env) {
        [$host, $port] = explode(':', $env->locked);
        $redis = new Redis();
        eq($redis->connect($host, (int) $port, 5, null, 0, 0, ['auth' => [PASSWORD]]), true);
        eq($redis->ping(), true);
    },
    'no password' => function (Env $env) {
        fails($env->connect($env->locked), 'NOAUTH Authentication required.', fn ($redis) => $redis->get('k'));
    },
    'wrong password' => function (Env $env) {
        fails($env->connect($env->locked), 'WRONGPASS invalid username-password pair', fn ($redis) => $redis->auth('wrong'));
    },
    'password where none is needed' => function (Env $env, Redis $redis) {
        fails($redis, 'ERR AUTH <password> called without any password configured', fn ($redis) => $redis->auth('needless'));
        eq($redis->ping(), true);
    },
    'persistent connections' => function (Env $env) {
        // the second one reuses the socket and proves it alive with ECHO
        [$host, $port] = explode(':', $env->server);
        $ids = [];
        foreach ([1, 2] as $_) {
            $redis = new Redis();
            eq($redis->pconnect($host, (int) $port, 5, "compat-{$env->db}"), true);
            $ids[] = $redis->client('id') ?: $redis->rawCommand('CLIENT', 'ID');
            unset($redis);
        }
        eq($ids[0], $ids[1]);
    },
    'pool notices a dead persistent connection' => function (Env $env, Redis $killer) {
        [$host, $port] = explode(':', $env->server);
        $connect = function () use ($host, $port, $env): Redis {
            $redis = new Redis();
            $redis->pconnect($host, (int) $port, 5, "dead-{$env->db}");
            return $redis;
        };
        $redis = $connect();
        $id = $redis->rawCommand('CLIENT', 'ID');
        unset($redis);
        $killer->rawCommand('CLIENT', 'KILL', 'ID', $id);
        eq($connect()->rawCommand('CLIENT', 'ID') > $id, true);
    },
    'bad database' => function (Env $env, Redis $redis) {
        fails($redis, 'ERR DB index is out of range', fn ($redis) => $redis->select(9999));
    },
]);
