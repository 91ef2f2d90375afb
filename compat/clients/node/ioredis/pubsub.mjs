import { eq, event, listen, range, topic, until } from '../kit.mjs'

topic('pubsub', {
  async 'messages of a channel'(env, client) {
    const [channel, subscriber] = [env.channel('news'), await env.client()]
    const heard = listen(subscriber, 'messageBuffer')
    eq(await subscriber.subscribe(channel), 1)
    const texts = ['a', 'a', Buffer.from(range(256)), 'x'.repeat(100_000), '']
    for (const text of texts) eq(await client.publish(channel, text), 1)
    await until(() => heard.length === 5)
    eq(heard.map(([, data]) => data), texts.map(text => Buffer.from(text)))
    eq(await subscriber.unsubscribe(), 0)
    eq([await client.publish(channel, 'nobody'), await subscriber.get('none')], [0, null])
  },
  async patterns(env, client) {
    const subscriber = await env.client()
    const [one, two, pattern] = ['1', '2', '?'].map(end => env.channel('news') + end)
    const [heard, matched] = [listen(subscriber, 'message'), listen(subscriber, 'pmessage')]
    eq([await subscriber.subscribe(one), await subscriber.psubscribe(pattern)], [1, 2])
    eq([await client.publish(one, 'both'), await client.publish(two, 'pattern')], [2, 1])
    await until(() => heard.length === 1 && matched.length === 2)
    eq(heard, [[one, 'both']])
    eq(matched, [[pattern, one, 'both'], [pattern, two, 'pattern']])
  },
  async 'shard channels'(env, client) {
    const [channel, subscriber] = [env.channel('shard'), await env.client()]
    const heard = listen(subscriber, 'smessage')
    eq(await subscriber.ssubscribe(channel), 1)
    eq([await client.publish(channel, 'elsewhere'), await client.spublish(channel, 'here')], [0, 1])
    await until(() => heard.length === 1)
    eq(heard, [[channel, 'here']])
    eq(await client.pubsub('SHARDNUMSUB', channel), [channel, 1])
    eq(await subscriber.sunsubscribe(channel), 0)
  },
  async 'who subscribes'(env, client) {
    const [first, second] = [await env.client(), await env.client()]
    const [one, two] = [env.channel('who.1'), env.channel('who.2')]
    await first.subscribe(one, two)
    await second.subscribe(one)
    eq((await client.pubsub('CHANNELS', env.channel('who') + '*')).sort(), [])
    eq((await client.pubsub('CHANNELS', env.channel('who.?'))).sort(), [one, two])
    eq(await client.pubsub('NUMSUB', one, two), [one, 2, two, 1])
  },
  async 'published in a transaction'(env, client) {
    const [channel, subscriber] = [env.channel('tx'), await env.client()]
    const heard = listen(subscriber, 'message')
    await subscriber.subscribe(channel)
    eq((await client.multi().publish(channel, 'twin').publish(channel, 'twin').exec()).map(([, count]) => count), [1, 1])
    await until(() => heard.length === 2)
    eq(heard, [[channel, 'twin'], [channel, 'twin']])
  },
  async 'subscribes again after a lost connection'(env, client) {
    const [channel, subscriber] = [env.channel('back'), await env.client()]
    const heard = listen(subscriber, 'message')
    const id = await subscriber.client('ID')
    await subscriber.subscribe(channel)
    const ready = event(subscriber, 'ready')
    eq(await client.client('KILL', 'ID', id), 1)
    await ready
    await until(async () => (await client.pubsub('NUMSUB', channel))[1] === 1)
    await client.publish(channel, 'again')
    await until(() => heard.length === 1)
  },
  async 'twenty subscribers hear the same'(env, client) {
    const channel = env.channel('many')
    const all = await Promise.all(range(20).map(() => env.client()))
    const heard = all.map(subscriber => listen(subscriber, 'message'))
    await Promise.all(all.map(subscriber => subscriber.subscribe(channel)))
    const publishers = await Promise.all(range(5).map(() => env.client()))
    await Promise.all(publishers.map(async (own, who) => {
      for (const n of range(40)) eq(await own.publish(channel, `${who}.${n}`), 20)
    }))
    await until(() => heard.every(messages => messages.length === 200))
    for (const messages of heard) eq(messages, heard[0])
  },
})
