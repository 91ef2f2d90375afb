import { eq, raises, topic } from '../kit.mjs'

const BINARY = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, i) => i)), Buffer.from('\r\n$-1\r\n\0')])

topic('strings', {
  async binary(env, client) {
    const buffers = env.buffers(client)
    eq(await client.set(BINARY, BINARY), 'OK')
    eq([await buffers.get(BINARY), await buffers.keys('*')], [BINARY, [BINARY]])
    eq(await buffers.mGet([BINARY, Buffer.from([255, 254])]), [BINARY, null])
  },
  async empty(env, client) {
    await client.set('', '')
    eq([await client.get(''), await client.exists(''), await client.strLen('')], ['', 1, 0])
  },
  async megabyte(env, client) {
    const value = Buffer.concat(Array(4000).fill(BINARY))
    await client.set('big', value)
    eq((await env.buffers(client).get('big')).equals(value), true)
    eq(await env.buffers(client).getRange('big', 500_000, 500_009), value.subarray(500_000, 500_010))
  },
  async 'set conditions'(env, client) {
    eq(await client.set('k', '1', { XX: true }), null)
    eq(await client.set('k', '1', { NX: true }), 'OK')
    eq(await client.set('k', '2', { NX: true }), null)
    eq(await client.set('k', '2', { XX: true }), 'OK')
    eq(await client.set('k', '3', { GET: true }), '2')
    eq(await client.set('k', '4', { NX: true, GET: true }), '3')
    eq(await client.get('k'), '3')
  },
  async 'set expiry'(env, client) {
    const now = Date.now()
    await client.set('ex', 'v', { EX: 100 })
    await client.set('px', 'v', { PX: 100_000, NX: true })
    await client.set('exat', 'v', { EXAT: Math.floor(now / 1000) + 100 })
    await client.set('pxat', 'v', { PXAT: now + 100_000 })
    for (const key of ['ex', 'px', 'exat', 'pxat']) {
      const ttl = await client.ttl(key)
      eq(ttl >= 95 && ttl <= 100, true)
    }
    await client.set('ex', 'v2', { KEEPTTL: true })
    eq((await client.ttl('ex')) > 90, true)
    await raises(client.set('k', 'v', { PX: -1 }), 'ErrorReply', "ERR invalid expire time in 'set' command")
  },
  async 'legacy setters'(env, client) {
    eq([Number(await client.setNX('k', 'a')), Number(await client.setNX('k', 'b'))], [1, 0])
    eq([await client.setEx('k', 100, 'c'), await client.pSetEx('k', 100_000, 'd')], ['OK', 'OK'])
    eq([await client.getSet('k', 'e'), await client.ttl('k')], ['d', -1])
  },
  async 'getex, getdel'(env, client) {
    await client.set('k', 'v')
    eq([await client.getEx('k', { EX: 50 }), (await client.ttl('k')) > 40], ['v', true])
    eq([await client.getEx('k', { PERSIST: true }), await client.ttl('k')], ['v', -1])
    eq([await client.getDel('k'), await client.getDel('k')], ['v', null])
  },
  async many(env, client) {
    eq(await client.mSet({ a: '1', b: '2' }), 'OK')
    eq([Number(await client.mSetNX({ b: '3', c: '3' })), Number(await client.mSetNX([['d', '4'], ['e', '5']]))], [0, 1])
    eq([await client.mGet(['a', 'b', 'c', 'd']), await client.del(['a', 'b', 'c'])], [['1', '2', null, '4'], 2])
  },
  async ranges(env, client) {
    eq([await client.append('k', 'Hello'), await client.append('k', ' World')], [5, 11])
    eq([await client.getRange('k', -5, -1), await client.setRange('k', 6, 'Redis'), await client.setRange('pad', 3, 'x')], ['World', 11, 4])
    eq([await client.get('k'), await client.get('pad')], ['Hello Redis', '\0\0\0x'])
  },
  async lcs(env, client) {
    await client.mSet({ a: 'ohmytext', b: 'mynewtext' })
    eq([await client.lcs('a', 'b'), await client.lcsLen('a', 'b')], ['mytext', 6])
    const { matches } = await client.lcsIdxWithMatchLen('a', 'b', { MINMATCHLEN: 4 })
    eq(env.major < 5 ? Object.values(matches[0]).at(-1) : matches, env.major < 5 ? 4 : [[[4, 7], [5, 8], 4]])
  },
  async counters(env, client) {
    eq([await client.incr('n'), await client.incrBy('n', 9), await client.decr('n'), await client.decrBy('n', 4)], [1, 10, 9, 5])
    await client.set('n', '9223372036854775807')
    await raises(client.incr('n'), 'ErrorReply', 'ERR increment or decrement would overflow')
    await client.set('n', 'ten')
    await raises(client.incr('n'), 'ErrorReply', 'ERR value is not an integer or out of range')
  },
  async 'float counters'(env, client) {
    eq([await client.incrByFloat('f', 10.5), await client.incrByFloat('f', 0.1)], ['10.5', '10.6'])
    await client.set('f', 'abc')
    await raises(client.incrByFloat('f', 1), 'ErrorReply', 'ERR value is not a valid float')
  },
  async bitmaps(env, client) {
    eq([await client.setBit('b', 7, 1), await client.setBit('b', 7, 0), await client.setBit('b', 9, 1)], [0, 1, 0])
    eq([await client.getBit('b', 9), await client.getBit('b', 9999)], [1, 0])
    await client.set('m', 'foobar')
    eq([await client.bitCount('m'), await client.bitCount('m', { start: 5, end: 30, mode: 'BIT' })], [26, 17])
    await client.set('p', Buffer.from('fff000', 'hex'))
    eq([await client.bitPos('p', 0), await client.bitPos('p', 1, 2)], [12, -1])
    await client.mSet({ x: 'abc', y: 'a' })
    eq([await client.bitOp('AND', 'z', ['x', 'y']), await client.get('z')], [3, 'a\0\0'])
  },
  async bitfield(env, client) {
    const grow = { operation: 'INCRBY', encoding: 'u8', offset: 0, increment: 100 }
    eq(await client.bitField('f', [{ operation: 'SET', encoding: 'u8', offset: 0, value: 200 }, { operation: 'GET', encoding: 'u4', offset: 0 }]), [0, 12])
    eq(await client.bitField('f', [{ operation: 'OVERFLOW', behavior: 'FAIL' }, grow]), [null])
    eq(await client.bitField('f', [{ operation: 'OVERFLOW', behavior: 'SAT' }, grow]), [255])
    eq(await client.bitFieldRo('f', [{ encoding: 'u8', offset: 0 }]), [255])
  },
})
