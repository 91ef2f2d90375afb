import { eq, range, topic, until } from '../kit.mjs'

/** The calls of a listener. */
const hear = () => {
  const heard = []
  return [heard, (...message) => heard.push(message)]
}

topic('pubsub', {
  async 'messages of a channel'(env, client) {
    const [channel, subscriber] = [env.channel('news'), await env.client()]
    const [heard, listener] = hear()
    await subscriber.subscribe(channel, listener, true)
    const texts = ['a', 'a', Buffer.from(range(256)), 'x'.repeat(100_000), '']
    for (const text of texts) eq(await client.publish(channel, text), 1)
    await until(() => heard.length === 5)
    eq(heard.map(([data]) => data), texts.map(text => Buffer.from(text)))
    await subscriber.unsubscribe(channel)
    eq([await client.publish(channel, 'nobody'), await subscriber.get('none')], [0, null])
  },
  async patterns(env, client) {
    const subscriber = await env.client()
    const [one, two, pattern] = ['1', '2', '?'].map(end => env.channel('news') + end)
    const [[heard, listener], [matched, matching]] = [hear(), hear()]
    await subscriber.subscribe(one, listener)
    await subscriber.pSubscribe(pattern, matching)
    eq([await client.publish(one, 'both'), await client.publish(two, 'pattern')], [2, 1])
    await until(() => heard.length === 1 && matched.length === 2)
    eq([heard, matched], [[['both', one]], [['both', one], ['pattern', two]]])
    await subscriber.pUnsubscribe(pattern)
    eq(await client.publish(two, 'nobody'), 0)
  },
  async 'shard channels'(env, client) {
    const [channel, subscriber] = [env.channel('shard'), await env.client()]
    const [heard, listener] = hear()
    await subscriber.sSubscribe(channel, listener)
    eq([await client.publish(channel, 'elsewhere'), await client.sPublish(channel, 'here')], [0, 1])
    await until(() => heard.length === 1)
    eq(heard, [['here', channel]])
    eq(await client.sendCommand(['PUBSUB', 'SHARDNUMSUB', channel]), [channel, 1])
    await subscriber.sUnsubscribe(channel)
  },
  async 'who subscribes'(env, client) {
    const [first, second] = [await env.client(), await env.client()]
    const [one, two] = [env.channel('who.1'), env.channel('who.2')]
    await first.subscribe([one, two], () => {})
    await second.subscribe(one, () => {})
    eq((await client.pubSubChannels(env.channel('who.?'))).sort(), [one, two])
    eq(await client.pubSubNumSub([one, two]), { [one]: 2, [two]: 1 })
  },
  async 'published in a transaction'(env, client) {
    const [channel, subscriber] = [env.channel('tx'), await env.client()]
    const [heard, listener] = hear()
    await subscriber.subscribe(channel, listener)
    eq(await client.multi().publish(channel, 'twin').publish(channel, 'twin').exec(), [1, 1])
    await until(() => heard.length === 2)
    eq(heard, [['twin', channel], ['twin', channel]])
  },
  async 'subscribes again after a lost connection'(env, client) {
    const [channel, subscriber] = [env.channel('back'), await env.client()]
    const [heard, listener] = hear()
    const id = await subscriber.sendCommand(['CLIENT', 'ID'])
    await subscriber.subscribe(channel, listener)
    eq(await client.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]), 1)
    await until(async () => {
      await client.publish(channel, 'again')
      return heard.length > 0
    })
  },
  async 'twenty subscribers hear the same'(env, client) {
    const channel = env.channel('many')
    const all = await Promise.all(range(20).map(() => env.client()))
    const heard = await Promise.all(all.map(async subscriber => {
      const [heard, listener] = hear()
      await subscriber.subscribe(channel, listener)
      return heard
    }))
    const publishers = await Promise.all(range(5).map(() => env.client()))
    await Promise.all(publishers.map(async (own, who) => {
      for (const n of range(40)) eq(await own.publish(channel, `${who}.${n}`), 20)
    }))
    await until(() => heard.every(messages => messages.length === 200))
    for (const messages of heard) eq(messages, heard[0])
  },
})
