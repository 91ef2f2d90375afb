import { eq, raises, topic } from '../kit.mjs'

const BINARY = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, i) => i)), Buffer.from('\r\n$-1\r\n\0')])

topic('strings', {
  async binary(env, client) {
    eq(await client.set(BINARY, BINARY), 'OK')
    eq(await client.getBuffer(BINARY), BINARY)
    eq(await client.keysBuffer('*'), [BINARY])
    eq(await client.mgetBuffer(BINARY, Buffer.from([255, 254])), [BINARY, null])
  },
  async empty(env, client) {
    await client.set('', '')
    eq([await client.get(''), await client.exists(''), await client.strlen('')], ['', 1, 0])
  },
  async megabyte(env, client) {
    const value = Buffer.concat(Array(4000).fill(BINARY))
    await client.set('big', value)
    eq((await client.getBuffer('big')).equals(value), true)
    eq(await client.getrangeBuffer('big', 500_000, 500_009), value.subarray(500_000, 500_010))
  },
  async 'set conditions'(env, client) {
    eq(await client.set('k', '1', 'XX'), null)
    eq(await client.set('k', '1', 'NX'), 'OK')
    eq(await client.set('k', '2', 'NX'), null)
    eq(await client.set('k', '2', 'XX'), 'OK')
    eq(await client.set('k', '3', 'GET'), '2')
    eq(await client.set('k', '4', 'NX', 'GET'), '3')
    eq(await client.get('k'), '3')
  },
  async 'set expiry'(env, client) {
    const now = Date.now()
    await client.set('ex', 'v', 'EX', 100)
    await client.set('px', 'v', 'PX', 100_000, 'NX')
    await client.set('exat', 'v', 'EXAT', Math.floor(now / 1000) + 100)
    await client.set('pxat', 'v', 'PXAT', now + 100_000)
    for (const key of ['ex', 'px', 'exat', 'pxat']) {
      const ttl = await client.ttl(key)
      eq(ttl >= 95 && ttl <= 100, true)
    }
    await client.set('ex', 'v2', 'KEEPTTL')
    eq((await client.ttl('ex')) > 90, true)
    await raises(client.set('k', 'v', 'EX', 0), 'ReplyError', "ERR invalid expire time in 'set' command")
  },
  async 'legacy setters'(env, client) {
    eq([await client.setnx('k', 'a'), await client.setnx('k', 'b')], [1, 0])
    eq([await client.setex('k', 100, 'c'), await client.psetex('k', 100_000, 'd')], ['OK', 'OK'])
    eq([await client.getset('k', 'e'), await client.ttl('k')], ['d', -1])
  },
  async 'getex, getdel'(env, client) {
    await client.set('k', 'v')
    eq([await client.getex('k', 'EX', 50), (await client.ttl('k')) > 40], ['v', true])
    eq([await client.getex('k', 'PERSIST'), await client.ttl('k')], ['v', -1])
    eq([await client.getdel('k'), await client.getdel('k')], ['v', null])
  },
  async many(env, client) {
    eq(await client.mset({ a: 1, b: 2 }), 'OK')
    eq([await client.msetnx('b', 3, 'c', 3), await client.msetnx('d', 4, 'e', 5)], [0, 1])
    eq(await client.mget('a', 'b', 'c', 'd'), ['1', '2', null, '4'])
    eq(await client.del('a', 'b', 'c'), 2)
  },
  async ranges(env, client) {
    eq([await client.append('k', 'Hello'), await client.append('k', ' World')], [5, 11])
    eq([await client.getrange('k', -5, -1), await client.setrange('k', 6, 'Redis'), await client.setrange('pad', 3, 'x')], ['World', 11, 4])
    eq([await client.get('k'), await client.get('pad'), await client.substr('k', 0, 4)], ['Hello Redis', '\0\0\0x', 'Hello'])
  },
  async lcs(env, client) {
    await client.mset('a', 'ohmytext', 'b', 'mynewtext')
    eq([await client.lcs('a', 'b'), await client.lcs('a', 'b', 'LEN')], ['mytext', 6])
    eq(await client.lcs('a', 'b', 'IDX', 'MINMATCHLEN', 4, 'WITHMATCHLEN'), ['matches', [[[4, 7], [5, 8], 4]], 'len', 6])
  },
  async counters(env, client) {
    eq([await client.incr('n'), await client.incrby('n', 9), await client.decr('n'), await client.decrby('n', 4)], [1, 10, 9, 5])
    await client.set('n', '9223372036854775807')
    await raises(client.incr('n'), 'ReplyError', 'ERR increment or decrement would overflow')
    await client.set('n', 'ten')
    await raises(client.incr('n'), 'ReplyError', 'ERR value is not an integer or out of range')
  },
  async 'float counters'(env, client) {
    eq([await client.incrbyfloat('f', 10.5), await client.incrbyfloat('f', 0.1)], ['10.5', '10.6'])
    await client.set('f', '5.0e3')
    eq(await client.incrbyfloat('f', '2.0e2'), '5200')
    await client.set('f', 'abc')
    await raises(client.incrbyfloat('f', 1), 'ReplyError', 'ERR value is not a valid float')
  },
  async bitmaps(env, client) {
    eq([await client.setbit('b', 7, 1), await client.setbit('b', 7, 0), await client.setbit('b', 9, 1)], [0, 1, 0])
    eq([await client.getbit('b', 9), await client.getbit('b', 9999)], [1, 0])
    await client.set('m', 'foobar')
    eq([await client.bitcount('m'), await client.bitcount('m', 1, 1), await client.bitcount('m', 5, 30, 'BIT')], [26, 6, 17])
    await client.set('p', Buffer.from('fff000', 'hex'))
    eq([await client.bitpos('p', 0), await client.bitpos('p', 1, 2)], [12, -1])
    await client.mset('x', 'abc', 'y', 'a')
    eq([await client.bitop('AND', 'z', 'x', 'y'), await client.get('z')], [3, 'a\0\0'])
  },
  async bitfield(env, client) {
    eq(await client.bitfield('f', 'SET', 'u8', 0, 200, 'INCRBY', 'u8', '#1', 10, 'GET', 'u4', 0), [0, 10, 12])
    eq(await client.bitfield('f', 'OVERFLOW', 'FAIL', 'INCRBY', 'u8', 0, 100), [null])
    eq(await client.bitfield('f', 'OVERFLOW', 'SAT', 'INCRBY', 'u8', 0, 100), [255])
    eq(await client.bitfield_ro('f', 'GET', 'u8', 0), [255])
  },
})
