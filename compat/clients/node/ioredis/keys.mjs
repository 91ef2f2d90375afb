import { eq, raises, range, sleep, topic } from '../kit.mjs'

async function scanned(stream) {
  const keys = new Set()
  for await (const page of stream) page.forEach(key => keys.add(key))
  return keys
}

topic('keys', {
  async expiry(env, client) {
    await client.set('k', 'v')
    eq([await client.ttl('k'), await client.ttl('none'), await client.pttl('none')], [-1, -2, -2])
    eq([await client.expire('k', 100), (await client.ttl('k')) > 90], [1, true])
    eq([await client.pexpire('k', 200_000), (await client.pttl('k')) > 190_000], [1, true])
    const at = Math.floor(Date.now() / 1000) + 300
    eq([await client.expireat('k', at), await client.expiretime('k')], [1, at])
    eq([await client.pexpireat('k', at * 1000 + 7), await client.pexpiretime('k')], [1, at * 1000 + 7])
    eq([await client.persist('k'), await client.persist('k'), await client.expire('none', 1)], [1, 0, 0])
  },
  async 'expiry conditions'(env, client) {
    await client.set('k', 'v')
    eq([await client.expire('k', 100, 'XX'), await client.expire('k', 100, 'NX')], [0, 1])
    eq([await client.expire('k', 50, 'GT'), await client.expire('k', 200, 'GT')], [0, 1])
    eq([await client.expire('k', 300, 'LT'), await client.expire('k', 100, 'LT')], [0, 1])
  },
  async 'expired keys are gone'(env, client) {
    await client.set('k', 'v', 'PX', 30)
    await client.set('past', 'v')
    eq(await client.expireat('past', 1), 1)
    await sleep(60)
    eq([await client.get('k'), await client.exists('k', 'past'), await client.keys('*')], [null, 0, []])
    eq(await client.set('k', 'new', 'NX'), 'OK')
  },
  async scanStream(env, client) {
    await client.mset(Object.fromEntries([...range(1000).map(n => [`scan:${n}`, n]), ['other', 1]]))
    eq(await scanned(client.scanStream({ match: 'scan:*', count: 50 })).then(keys => keys.size), 1000)
    eq(await scanned(client.scanStream()).then(keys => keys.size), 1001)
    eq(await scanned(client.scanStream({ match: 'oth[a-z]r', type: 'string' })), new Set(['other']))
    eq(await scanned(client.scanStream({ type: 'list' })), new Set())
  },
  async keyspace(env, client) {
    eq(await client.randomkey(), null)
    await client.mset('a', '1', 'b', '2')
    eq([await client.exists('a', 'b', 'a', 'c'), await client.touch('a', 'c'), await client.type('a'), await client.type('c')], [3, 1, 'string', 'none'])
    eq([(await client.keys('[ab]')).sort(), ['a', 'b'].includes(await client.randomkey()), await client.dbsize()], [['a', 'b'], true, 2])
    eq([await client.unlink('a', 'b', 'c'), await client.dbsize()], [2, 0])
  },
  async 'rename, copy, move'(env, client) {
    await client.set('a', '1', 'EX', 100)
    eq([await client.rename('a', 'b'), (await client.ttl('b')) > 90, await client.exists('a')], ['OK', true, 0])
    await client.set('a', '2')
    eq([await client.renamenx('a', 'b'), await client.copy('a', 'b'), await client.copy('a', 'b', 'REPLACE')], [0, 0, 1])
    await raises(client.rename('none', 'x'), 'ReplyError', 'ERR no such key')
    const other = await env.client({ db: 15 })
    const mine = `moved:${env.db}`
    await other.del(mine)
    await client.set(mine, 'v')
    eq([await client.move(mine, 15), await client.exists(mine), await other.getdel(mine)], [1, 0, 'v'])
    eq([await client.copy('a', mine, 'DB', 15), await other.getdel(mine)], [1, '2'])
  },
  async objects(env, client) {
    await client.mset('int', '123', 'short', 'abc', 'long', 'x'.repeat(45))
    eq([await client.object('ENCODING', 'int'), await client.object('ENCODING', 'short'), await client.object('ENCODING', 'long')], ['int', 'embstr', 'raw'])
    eq(await client.object('REFCOUNT', 'short'), 1)
    eq([await client.object('ENCODING', 'none'), (await client.memory('USAGE', 'long')) > 45], [null, true])
  },
  async 'dump, restore'(env, client) {
    const value = Buffer.alloc(100, Buffer.from([0, 255]))
    await client.set('k', value)
    const dump = await client.dumpBuffer('k')
    eq([await client.dump('none'), await client.restore('copy', 100_000, dump)], [null, 'OK'])
    eq([await client.getBuffer('copy'), (await client.ttl('copy')) > 90], [value, true])
    await raises(client.restore('copy', 0, dump), 'ReplyError', 'BUSYKEY Target key name already exists.')
    eq([await client.restore('copy', 0, dump, 'REPLACE'), await client.ttl('copy')], ['OK', -1])
    dump[dump.length - 1] ^= 1
    await raises(client.restore('x', 0, dump), 'ReplyError', 'ERR DUMP payload version or checksum are wrong')
  },
})
