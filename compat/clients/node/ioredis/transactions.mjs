import { eq, raises, range, topic } from '../kit.mjs'

const values = replies => replies.map(([error, value]) => (error ? error.message : value))

topic('transactions', {
  async 'pipeline of 1000'(env, client) {
    const pipeline = client.pipeline()
    for (const n of range(500)) pipeline.set(`p:${n}`, n).get(`p:${n}`)
    eq(values(await pipeline.exec()), range(500).flatMap(n => ['OK', String(n)]))
  },
  async 'auto-pipelining'(env) {
    const client = await env.client({ enableAutoPipelining: true })
    eq(await Promise.all(range(1000).map(() => client.incr('n'))), range(1000).map(n => n + 1))
  },
  async 'transaction of 1000'(env, client) {
    const multi = client.multi()
    for (const _ of range(1000)) multi.incr('n')
    eq(values(await multi.exec()), range(1000).map(n => n + 1))
  },
  async 'pipeline with error'(env, client) {
    eq(values(await client.pipeline().set('k', 'text').incr('k').get('k').exec()), ['OK', 'ERR value is not an integer or out of range', 'text'])
  },
  async 'multi with error inside'(env, client) {
    eq(values(await client.multi().set('k', 'text').incr('k').append('k', '!').exec()), ['OK', 'ERR value is not an integer or out of range', 5])
  },
  async 'multi without pipeline'(env, client) {
    const own = await env.client()
    await own.multi({ pipeline: false })
    eq([await own.set('k', 'v'), await own.get('k')], ['QUEUED', 'QUEUED'])
    eq(values(await own.exec()), ['OK', 'v'])
    await own.multi({ pipeline: false })
    eq([await own.set('k', 'w'), await own.discard(), await own.get('k')], ['QUEUED', 'OK', 'v'])
  },
  async execabort(env, client) {
    await raises(client.multi().set('k').set('k', 'v').exec(), 'ReplyError', 'EXECABORT Transaction discarded because of previous errors.')
    await raises(client.multi().call('NOSUCH').exec(), 'ReplyError', 'EXECABORT')
    eq(await client.exists('k'), 0)
  },
  async 'watch conflict'(env, client) {
    const other = await env.client()
    await client.watch('k')
    await other.set('k', '2')
    eq(await client.multi().set('k', '3').exec(), null)
    await client.watch('k')
    eq(values(await client.multi().set('k', '4').exec()), ['OK'])
    await client.watch('k')
    await client.unwatch()
    await other.set('k', '5')
    eq(values(await client.multi().get('k').exec()), ['5'])
  },
  async lock(env, client) {
    const other = await env.client()
    const release = async (owner, token) => {
      await owner.watch('lock')
      if ((await owner.get('lock')) !== token) return owner.unwatch()
      return values(await owner.multi().del('lock').exec())
    }
    eq(await client.set('lock', 'me', 'PX', 10_000, 'NX'), 'OK')
    eq(await other.set('lock', 'you', 'PX', 10_000, 'NX'), null)
    eq([await release(other, 'you'), await release(client, 'me')], ['OK', [1]])
    eq(await other.set('lock', 'you', 'PX', 10_000, 'NX'), 'OK')
  },
})
