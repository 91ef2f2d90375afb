<?php

function scanned(Redis $redis, ...$arguments): array
{
    $redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
    $cursor = null;
    $keys = [];
    while ($page = $redis->scan($cursor, ...$arguments)) {
        $keys = array_merge($keys, $page);
    }
    return array_values(array_unique($keys));
}

topic('keys', [
    'expiry' => function (Env $env, Redis $redis) {
        $redis->set('k', 'v');
        eq([$redis->ttl('k'), $redis->ttl('none'), $redis->pttl('none')], [-1, -2, -2]);
        eq([$redis->expire('k', 100), $redis->ttl('k') > 90, $redis->pExpire('k', 200_000), $redis->pttl('k') > 190_000], [true, true, true, true]);
        $at = time() + 300;
        eq([$redis->expireAt('k', $at), $redis->rawCommand('EXPIRETIME', 'k')], [true, $at]);
        eq([$redis->pExpireAt('k', $at * 1000 + 7), $redis->rawCommand('PEXPIRETIME', 'k')], [true, $at * 1000 + 7]);
        eq([$redis->persist('k'), $redis->persist('k'), $redis->expire('none', 1)], [true, false, false]);
        eq(array_map(fn ($line) => $redis->rawCommand('EXPIRE', 'k', ...$line), [[100, 'XX'], [100, 'NX'], [50, 'GT'], [50, 'LT']]), [0, 1, 0, 1]);
    },
    'expired keys are gone' => function (Env $env, Redis $redis) {
        $redis->set('k', 'v', ['px' => 30]);
        usleep(60_000);
        eq([$redis->get('k'), $redis->exists('k'), $redis->keys('*'), $redis->set('k', 'new', ['nx'])], [false, 0, [], true]);
    },
    'scan' => function (Env $env, Redis $redis) {
        $redis->mSet(array_combine(array_map(fn ($n) => "scan:$n", range(1, 1000)), range(1, 1000)) + ['other' => 1]);
        eq([count(scanned($redis, 'scan:*', 50)), count(scanned($redis)), scanned($redis, 'oth[a-z]r')], [1000, 1001, ['other']]);
    },
    'keyspace' => function (Env $env, Redis $redis) {
        eq($redis->randomKey(), false);
        $redis->mSet(['a' => '1', 'b' => '2']);
        eq([$redis->exists('a', 'b', 'a', 'c'), $redis->rawCommand('TOUCH', 'a', 'c'), $redis->type('a'), $redis->type('c')], [3, 1, Redis::REDIS_STRING, Redis::REDIS_NOT_FOUND]);
        eq([in_array($redis->randomKey(), ['a', 'b'], true), $redis->dbSize(), $redis->unlink('a', 'b', 'c'), $redis->dbSize()], [true, 2, 2, 0]);
    },
    'rename, copy, move' => function (Env $env, Redis $redis) {
        $redis->set('a', '1', 100);
        eq([$redis->rename('a', 'b'), $redis->ttl('b') > 90, $redis->exists('a')], [true, true, 0]);
        $redis->set('a', '2');
        eq([$redis->renameNx('a', 'b'), $redis->rawCommand('COPY', 'a', 'b'), $redis->rawCommand('COPY', 'a', 'b', 'REPLACE')], [false, 0, 1]);
        fails($redis, 'ERR no such key', fn ($redis) => $redis->rename('none', 'x'));
        $mine = "moved:{$env->db}";
        $other = $env->client(15);
        $other->del($mine);
        $redis->set($mine, 'v');
        eq([$redis->move($mine, 15), $redis->exists($mine), $other->get($mine), $other->del($mine)], [true, 0, 'v', 1]);
    },
    'objects' => function (Env $env, Redis $redis) {
        $redis->mSet(['int' => '123', 'short' => 'abc', 'long' => str_repeat('x', 45)]);
        eq(array_map(fn ($key) => $redis->object('encoding', $key), ['int', 'short', 'long', 'none']), ['int', 'embstr', 'raw', false]);
        eq($redis->object('refcount', 'short'), 1);
    },
    'dump, restore' => function (Env $env, Redis $redis) {
        $redis->set('k', BYTES);
        $dump = $redis->dump('k');
        eq([$redis->dump('none'), $redis->restore('copy', 100_000, $dump), $redis->get('copy'), $redis->ttl('copy') > 90], [false, true, BYTES, true]);
        fails($redis, 'BUSYKEY Target key name already exists.', fn ($redis) => $redis->restore('copy', 0, $dump));
        fails($redis, 'ERR DUMP payload version or checksum are wrong', fn ($redis) => $redis->restore('x', 0, substr($dump, 0, -1) . '!'));
    },
]);
