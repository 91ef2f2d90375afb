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
  async 'fifty transactions'(env, client) {
    const all = await clients(env, 50)
    await Promise.all(all.map(own => own.multi().incr('a').incrbyfloat('f', 0.5).decr('b').exec()))
    eq(await client.mget('a', 'f', 'b'), ['50', '25', '-50'])
  },
  async 'optimistic writers'(env, client) {
    const all = await clients(env, 10)
    await Promise.all(all.map(async own => {
      for (let done = 0; done < 5; ) {
        await own.watch('n')
        const value = Number(await own.get('n'))
        if (await own.multi().set('n', value + 1).exec()) done++
      }
    }))
    eq(await client.get('n'), '50')
  },
})
