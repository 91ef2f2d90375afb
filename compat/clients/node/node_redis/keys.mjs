import { eq, raises, range, sleep, topic } from '../kit.mjs'

topic('keys', {
  async expiry(env, client) {
    await client.set('k', 'v')
    eq([await client.ttl('k'), await client.ttl('none'), await client.pTTL('none')], [-1, -2, -2])
    eq([Number(await client.expire('k', 100)), (await client.ttl('k')) > 90], [1, true])
    eq([Number(await client.pExpire('k', 200_000)), (await client.pTTL('k')) > 190_000], [1, true])
    const at = Math.floor(Date.now() / 1000) + 300
    eq([Number(await client.expireAt('k', at)), await client.expireTime('k')], [1, at])
    eq([Number(await client.pExpireAt('k', at * 1000 + 7)), await client.pExpireTime('k')], [1, at * 1000 + 7])
    eq([await client.persist('k'), await client.persist('k'), await client.expire('none', 1)].map(Number), [1, 0, 0])
  },
  async 'expiry conditions'(env, client) {
    await client.set('k', 'v')
    const replies = []
    for (const [seconds, mode] of [[100, 'XX'], [100, 'NX'], [50, 'GT'], [200, 'GT'], [300, 'LT'], [100, 'LT']]) {
      replies.push(Number(await client.expire('k', seconds, mode)))
    }
    eq(replies, [0, 1, 0, 1, 0, 1])
  },
  async 'expired keys are gone'(env, client) {
    await client.set('k', 'v', { PX: 30 })
    await client.set('past', 'v')
    eq(Number(await client.expireAt('past', 1)), 1)
    await sleep(60)
    eq([await client.get('k'), await client.exists(['k', 'past']), await client.keys('*')], [null, 0, []])
    eq(await client.set('k', 'new', { NX: true }), 'OK')
  },
  async scanIterator(env, client) {
    await client.mSet(Object.fromEntries([...range(1000).map(n => [`scan:${n}`, String(n)]), ['other', '1']]))
    eq((await env.scanned(client, { MATCH: 'scan:*', COUNT: 50 })).size, 1000)
    eq((await env.scanned(client)).size, 1001)
    eq(await env.scanned(client, { MATCH: 'oth[a-z]r', TYPE: 'string' }), new Set(['other']))
    eq(await env.scanned(client, { TYPE: 'list' }), new Set())
  },
  async keyspace(env, client) {
    eq(await client.randomKey(), null)
    await client.mSet({ a: '1', b: '2' })
    eq([await client.exists(['a', 'b', 'a', 'c']), await client.touch(['a', 'c']), await client.type('a'), await client.type('c')], [3, 1, 'string', 'none'])
    eq([(await client.keys('[ab]')).sort(), ['a', 'b'].includes(await client.randomKey()), await client.dbSize()], [['a', 'b'], true, 2])
    eq([await client.unlink(['a', 'b', 'c']), await client.dbSize()], [2, 0])
  },
  async 'rename, copy, move'(env, client) {
    await client.set('a', '1', { EX: 100 })
    eq([await client.rename('a', 'b'), (await client.ttl('b')) > 90, await client.exists('a')], ['OK', true, 0])
    await client.set('a', '2')
    eq([await client.renameNX('a', 'b'), await client.copy('a', 'b'), await client.copy('a', 'b', { REPLACE: true, replace: true })].map(Number), [0, 0, 1])
    await raises(client.rename('none', 'x'), 'ErrorReply', 'ERR no such key')
    const other = await env.client({ database: 15 })
    const mine = `moved:${env.db}`
    await other.del(mine)
    await client.set(mine, 'v')
    eq([Number(await client.move(mine, 15)), await client.exists(mine), await other.getDel(mine)], [1, 0, 'v'])
    eq([Number(await client.copy('a', mine, { DB: 15, destinationDb: 15 })), await other.getDel(mine)], [1, '2'])
  },
  async objects(env, client) {
    await client.mSet({ int: '123', short: 'abc', long: 'x'.repeat(45) })
    eq([await client.objectEncoding('int'), await client.objectEncoding('short'), await client.objectEncoding('long')], ['int', 'embstr', 'raw'])
    eq(await client.objectRefCount('short'), 1)
    eq([await client.objectEncoding('none'), (await client.memoryUsage('long')) > 45], [null, true])
  },
  async 'dump, restore'(env, client) {
    const value = Buffer.alloc(100, Buffer.from([0, 255]))
    await client.set('k', value)
    const dump = await env.buffers(client).dump('k')
    eq([await client.dump('none'), await client.restore('copy', 100_000, dump)], [null, 'OK'])
    eq([await env.buffers(client).get('copy'), (await client.ttl('copy')) > 90], [value, true])
    await raises(client.restore('copy', 0, dump), 'ErrorReply', 'BUSYKEY Target key name already exists.')
    eq([await client.restore('copy', 0, dump, { REPLACE: true }), await client.ttl('copy')], ['OK', -1])
    dump[dump.length - 1] ^= 1
    await raises(client.restore('x', 0, dump), 'ErrorReply', 'ERR DUMP payload version or checksum are wrong')
  },
})
