<?php

topic('server', [
    'info' => function (Env $env, Redis $redis) {
        $redis->set('k', 'v', 1000);
        $info = $redis->info();
        eq(preg_match('/^\d+\.\d+\.\d+$/', $info['redis_version']), 1);
        eq([$info['redis_mode'] ?? $info['server_mode'], $info['role'], $info['maxmemory_policy']], ['standalone', 'master', 'noeviction']);
        eq(str_starts_with($info["db{$env->db}"], 'keys=1,expires=1,avg_ttl='), true);
        eq(isset($redis->info('server')['used_memory']), false);
    },
    'config' => function (Env $env, Redis $redis) {
        eq([$redis->config('GET', 'databases'), $redis->config('GET', 'maxmemory-policy')], [['databases' => '16'], ['maxmemory-policy' => 'noeviction']]);
        $slower = $redis->config('GET', 'slowlog-log-slower-than')['slowlog-log-slower-than'];
        eq($redis->config('SET', 'slowlog-log-slower-than', $slower), true);
        fails($redis, 'ERR Unknown option or number of arguments for CONFIG SET', fn ($redis) => $redis->config('SET', 'nope', '1'));
    },
    'command' => function (Env $env, Redis $redis) {
        // not $redis->command(): phpredis 5.3.7 may crash in it, whatever the server answers
        eq([$redis->rawCommand('COMMAND', 'COUNT') > 50, $redis->rawCommand('COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2')], [true, ['a', 'b']]);
        $redis->setOption(Redis::OPT_REPLY_LITERAL, true);
        eq(array_slice($redis->rawCommand('COMMAND', 'INFO', 'get')[0], 0, 6), ['get', 2, ['readonly', 'fast'], 1, 1, 1]);
    },
    'client commands' => function (Env $env, Redis $redis) {
        $own = $env->client(name: 'first');
        $id = $own->rawCommand('CLIENT', 'ID');
        eq([$own->client('getname'), $own->client('setname', 'second')], ['first', true]);
        $row = current(array_filter($redis->client('list'), fn ($row) => (int) $row['id'] === $id));
        eq([$row['name'], (int) $row['db']], ['second', $env->db]);
        fails($own, 'ERR Client names cannot contain spaces', fn ($redis) => $redis->client('setname', 'a b'));
    },
    'odds and ends' => function (Env $env, Redis $redis) {
        eq([abs($redis->time()[0] - time()) < 5, $redis->dbSize(), $redis->role()[0], $redis->wait(0, 10)], [true, 0, 'master', 0]);
        eq([is_int($redis->lastSave()), is_array($redis->slowlog('get'))], [true, true]);
        $redis->set('k', 'v');
        eq([$redis->flushDB(true), $redis->dbSize()], [true, 0]);
    },
    'errors' => function (Env $env, Redis $redis) {
        fails($redis, "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ", fn ($redis) => $redis->rawCommand('NOSUCH', 'a', 'b'));
        fails($redis, "ERR wrong number of arguments for 'get' command", fn ($redis) => $redis->rawCommand('GET'));
        fails($redis, 'ERR syntax error', fn ($redis) => $redis->rawCommand('SET', 'k', 'v', 'NOPE'));
        fails($redis, "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.", fn ($redis) => $redis->rawCommand('CLIENT', 'NOSUCH'));
        eq($redis->ping(), true);
    },
]);
