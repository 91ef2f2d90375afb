<?php

define('BYTES', implode('', array_map('chr', range(0, 255))) . "\r\n\$-1\r\n\0");

topic('strings', [
    'binary' => function (Env $env, Redis $redis) {
        eq($redis->set(BYTES, BYTES), true);
        eq([$redis->get(BYTES), $redis->keys('*'), $redis->mGet([BYTES, "\xff\xfe"])], [BYTES, [BYTES], [BYTES, false]]);
    },
    'empty' => function (Env $env, Redis $redis) {
        eq([$redis->set('', ''), $redis->get(''), $redis->exists(''), $redis->strlen('')], [true, '', 1, 0]);
    },
    'megabyte' => function (Env $env, Redis $redis) {
        $value = str_repeat(BYTES, 4000);
        $redis->set('big', $value);
        eq($redis->get('big') === $value, true);
        eq($redis->getRange('big', 500_000, 500_009), substr($value, 500_000, 10));
    },
    'serializer, prefix and compression' => function (Env $env, Redis $redis) {
        $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
        $redis->setOption(Redis::OPT_PREFIX, "app\0:");
        $redis->set('k', ['a' => 1, 'b' => [true, null]]);
        eq([$redis->get('k'), $env->client()->keys('*')], [['a' => 1, 'b' => [true, null]], ["app\0:k"]]);
    },
    'set conditions' => function (Env $env, Redis $redis) {
        eq([$redis->set('k', '1', ['xx']), $redis->set('k', '1', ['nx']), $redis->set('k', '2', ['nx']), $redis->set('k', '2', ['xx'])], [false, true, false, true]);
        eq([$redis->rawCommand('SET', 'k', '3', 'GET'), $redis->rawCommand('SET', 'k', '4', 'NX', 'GET'), $redis->get('k')], ['2', '3', '3']);
    },
    'set expiry' => function (Env $env, Redis $redis) {
        $redis->set('ex', 'v', ['ex' => 100]);
        $redis->set('px', 'v', ['nx', 'px' => 100_000]);
        $redis->set('timeout', 'v', 100);
        $redis->rawCommand('SET', 'exat', 'v', 'EXAT', time() + 100);
        $redis->rawCommand('SET', 'pxat', 'v', 'PXAT', (time() + 100) * 1000);
        foreach (['ex', 'px', 'timeout', 'exat', 'pxat'] as $key) {
            eq($redis->ttl($key) >= 95 && $redis->ttl($key) <= 100, true);
        }
        $redis->rawCommand('SET', 'ex', 'v2', 'KEEPTTL');
        eq($redis->ttl('ex') > 90, true);
        fails($redis, "ERR invalid expire time in 'set' command", fn ($redis) => $redis->rawCommand('SET', 'k', 'v', 'EX', 0));
    },
    'legacy setters' => function (Env $env, Redis $redis) {
        eq([$redis->setnx('k', 'a'), $redis->setnx('k', 'b'), $redis->setex('k', 100, 'c'), $redis->psetex('k', 100_000, 'd')], [true, false, true, true]);
        eq([$redis->getSet('k', 'e'), $redis->ttl('k')], ['d', -1]);
    },
    'getex, getdel' => function (Env $env, Redis $redis) {
        $redis->set('k', 'v');
        eq([$redis->rawCommand('GETEX', 'k', 'EX', 50), $redis->ttl('k') > 40], ['v', true]);
        eq([$redis->rawCommand('GETDEL', 'k'), $redis->rawCommand('GETDEL', 'k')], ['v', false]);
    },
    'many' => function (Env $env, Redis $redis) {
        eq([$redis->mSet(['a' => '1', 'b' => '2']), $redis->mSetNx(['b' => '3', 'c' => '3']), $redis->mSetNx(['d' => '4'])], [true, false, true]);
        eq([$redis->mGet(['a', 'b', 'c', 'd']), $redis->del('a', 'b', 'c')], [['1', '2', false, '4'], 2]);
    },
    'ranges' => function (Env $env, Redis $redis) {
        eq([$redis->append('k', 'Hello'), $redis->append('k', ' World'), $redis->getRange('k', -5, -1)], [5, 11, 'World']);
        eq([$redis->setRange('k', 6, 'Redis'), $redis->setRange('pad', 3, 'x'), $redis->get('k'), $redis->get('pad')], [11, 4, 'Hello Redis', "\0\0\0x"]);
    },
    'lcs' => function (Env $env, Redis $redis) {
        $redis->mSet(['a' => 'ohmytext', 'b' => 'mynewtext']);
        eq([$redis->rawCommand('LCS', 'a', 'b'), $redis->rawCommand('LCS', 'a', 'b', 'LEN')], ['mytext', 6]);
    },
    'counters' => function (Env $env, Redis $redis) {
        eq([$redis->incr('n'), $redis->incrBy('n', 9), $redis->decr('n'), $redis->decrBy('n', 4)], [1, 10, 9, 5]);
        $redis->mSet(['max' => (string) PHP_INT_MAX, 'text' => 'ten']);
        fails($redis, 'ERR increment or decrement would overflow', fn ($redis) => $redis->incr('max'));
        fails($redis, 'ERR value is not an integer or out of range', fn ($redis) => $redis->incr('text'));
    },
    'float counters' => function (Env $env, Redis $redis) {
        eq([$redis->incrByFloat('f', 10.5), $redis->incrByFloat('f', 0.25), $redis->get('f')], [10.5, 10.75, '10.75']);
        $redis->set('f', 'abc');
        fails($redis, 'ERR value is not a valid float', fn ($redis) => $redis->incrByFloat('f', 1.0));
    },
    'bitmaps' => function (Env $env, Redis $redis) {
        eq([$redis->setBit('b', 7, true), $redis->setBit('b', 7, false), $redis->setBit('b', 9, true)], [0, 1, 0]);
        eq([$redis->getBit('b', 9), $redis->getBit('b', 9999)], [1, 0]);
        $redis->mSet(['m' => 'foobar', 'p' => "\xff\xf0\x00", 'x' => 'abc', 'y' => 'a']);
        eq([$redis->bitCount('m'), $redis->bitpos('p', 0), $redis->bitpos('p', 1, 2)], [26, 12, -1]);
        eq([$redis->bitOp('AND', 'z', 'x', 'y'), $redis->get('z')], [3, "a\0\0"]);
    },
    'bitfield' => function (Env $env, Redis $redis) {
        eq($redis->rawCommand('BITFIELD', 'f', 'SET', 'u8', 0, 200, 'INCRBY', 'u8', '#1', 10, 'GET', 'u4', 0), [0, 10, 12]);
        eq($redis->rawCommand('BITFIELD', 'f', 'OVERFLOW', 'FAIL', 'INCRBY', 'u8', 0, 100), [false]);
        eq($redis->rawCommand('BITFIELD_RO', 'f', 'GET', 'u8', 0), [200]);
    },
]);
