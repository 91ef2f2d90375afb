import { eq, range, topic } from '../kit.mjs'

const clients = (env, count) => Promise.all(range(count).map(() => env.client()))

topic('pool', {
  async 'fifty connections'(env, client) {
    const all = await clients(env, 50)
    await Promise.all(all.map(async own => {
      for (const _ of range(20)) await own.incr('n')
    }))
    eq(await client.get('n'), '1000')
  },
  async "the client's own pool"(env, client) {
    const pool = await env.keepPool()
    await Promise.all(range(500).map(() => pool.execute(async own => {
      await own.incr('n')
      await own.multi().incr('n').incrByFloat('f', 0.5).exec()
    })))
    eq(await client.mGet(['n', 'f']), ['1000', '250'])
  },
  async 'optimistic writers'(env, client) {
    const all = await clients(env, 10)
    await Promise.all(all.map(async own => {
      for (let done = 0; done < 5; ) {
        await own.watch('n')
        const value = Number(await own.get('n'))
        const replies = await own.multi().set('n', String(value + 1)).exec().catch(error => error)
        if (Array.isArray(replies)) done++
        else eq(replies.constructor.name, 'WatchError')
      }
    }))
    eq(await client.get('n'), '50')
  },
})
