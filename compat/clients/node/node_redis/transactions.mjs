import { eq, raises, range, topic } from '../kit.mjs'

topic('transactions', {
  async 'auto-pipelining of 1000'(env, client) {
    const replies = await Promise.all(range(500).flatMap(n => [client.set(`p:${n}`, String(n)), client.get(`p:${n}`)]))
    eq(replies, range(500).flatMap(n => ['OK', String(n)]))
  },
  async 'execAsPipeline of 1000'(env, client) {
    const pipeline = client.multi()
    for (const n of range(500)) pipeline.set(`p:${n}`, String(n)).get(`p:${n}`)
    eq(await pipeline.execAsPipeline(), range(500).flatMap(n => ['OK', String(n)]))
  },
  async 'transaction of 1000'(env, client) {
    const multi = client.multi()
    for (const _ of range(1000)) multi.incr('n')
    eq(await multi.exec(), range(1000).map(n => n + 1))
  },
  async 'pipeline with error'(env, client) {
    const replies = await Promise.allSettled([client.set('k', 'text'), client.incr('k'), client.get('k')])
    eq(replies.map(({ value, reason }) => value ?? reason.message), ['OK', 'ERR value is not an integer or out of range', 'text'])
  },
  async 'multi with error inside'(env, client) {
    const error = await client.multi().set('k', 'text').incr('k').append('k', '!').exec().catch(error => error)
    eq([error.constructor.name, error.errorIndexes, error.replies[0], error.replies[2]], ['MultiErrorReply', [1], 'OK', 5])
    eq(error.replies[1].message, 'ERR value is not an integer or out of range')
  },
  async execabort(env, client) {
    const own = await env.client()
    const [multi, bad, queued, exec] = await Promise.allSettled(['MULTI', 'SET k', 'SET k v', 'EXEC'].map(line => own.sendCommand(line.split(' '))))
    eq([multi.value, queued.value, bad.reason.message], ['OK', 'QUEUED', "ERR wrong number of arguments for 'set' command"])
    eq(exec.reason.message, 'EXECABORT Transaction discarded because of previous errors.')
    await raises(own.multi().addCommand(['NOSUCH']).exec(), 'ErrorReply', '')
    eq([await own.sendCommand(['MULTI']), await own.sendCommand(['SET', 'k', 'v']), await own.sendCommand(['DISCARD'])], ['OK', 'QUEUED', 'OK'])
    eq(await client.exists('k'), 0)
  },
  async 'watch conflict'(env, client) {
    const own = await env.client()
    await own.watch('k')
    await client.set('k', '2')
    await raises(own.multi().set('k', '3').exec(), 'WatchError', 'One (or more) of the watched keys has been changed')
    await own.watch(['k', 'l'])
    eq(await own.multi().set('k', '4').exec(), ['OK'])
    await own.watch('k')
    await own.unwatch()
    await client.set('k', '5')
    eq(await own.multi().get('k').exec(), ['5'])
  },
  async 'isolated optimistic lock'(env, client) {
    await client.set('n', '1')
    const pool = await env.keepPool()
    let disturbed = false
    const double = () => pool.execute(async own => {
      await own.watch('n')
      const value = Number(await own.get('n'))
      if (!disturbed) disturbed = await client.set('n', '10')
      return own.multi().set('n', String(value * 2)).exec()
    })
    await raises(double(), 'WatchError', '')
    eq([await double(), await client.get('n')], [['OK'], '20'])
  },
  async lock(env, client) {
    const [me, you] = [await env.client(), await env.client()]
    const release = async (owner, token) => {
      await owner.watch('lock')
      if ((await owner.get('lock')) !== token) return owner.unwatch()
      return owner.multi().del('lock').exec()
    }
    eq(await me.set('lock', 'me', { PX: 10_000, NX: true }), 'OK')
    eq(await you.set('lock', 'you', { PX: 10_000, NX: true }), null)
    eq([await release(you, 'you'), await release(me, 'me')], ['OK', [1]])
    eq(await you.set('lock', 'you', { PX: 10_000, NX: true }), 'OK')
  },
})
