import { eq, raises, range, sleep, topic } from '../kit.mjs'

const ids = entries => entries.map(({ id }) => id)

topic('streams', {
  async 'add, range, trim'(env, client) {
    const id = await client.xAdd('s', '*', { f: 'v' })
    eq(Math.abs(Number(id.split('-')[0]) - Date.now()) < 60_000, true)
    const trim = { TRIM: { strategy: 'MAXLEN', strategyModifier: '=', threshold: 2 } }
    eq(await client.xAdd('s', '9999999999999-*', { g: 'w' }, trim), '9999999999999-0')
    const [first, ...rest] = await client.xRange('s', '-', '+', { COUNT: 1 })
    eq([first.id, first.message, rest], [id, { f: 'v' }, []])
    eq(ids(await client.xRevRange('s', '+', '-')), ['9999999999999-0', id])
    eq([await client.xTrim('s', 'MAXLEN', 1), await client.xDel('s', '9999999999999-0'), await client.xLen('s')], [1, 1, 0])
    await raises(client.xAdd('s', '1-1', { f: 'v' }), 'ErrorReply', 'equal or smaller than the target stream top item')
  },
  async 'blocking read'(env, client) {
    const reader = await env.client()
    eq(await reader.xRead({ key: 's', id: '$' }, { BLOCK: 50 }), null)
    const reading = reader.xRead([{ key: 'none', id: '$' }, { key: 's', id: '$' }], { COUNT: 10, BLOCK: 10_000 })
    await sleep(100)
    await client.multi().xAdd('s', '1-1', { n: '1' }).xAdd('s', '1-2', { n: '2' }).exec()
    const [{ name, messages }] = env.streams(await reading)
    eq([name, messages.map(({ id, message }) => [id, message])], ['s', [['1-1', { n: '1' }], ['1-2', { n: '2' }]]])
  },
  async groups(env, client) {
    eq(await client.xGroupCreate('s', 'g', '$', { MKSTREAM: true }), 'OK')
    await raises(client.xGroupCreate('s', 'g', '$'), 'ErrorReply', 'BUSYGROUP')
    for (const n of range(4)) await client.xAdd('s', `${n + 1}-0`, { n: String(n) })
    const [{ messages }] = env.streams(await client.xReadGroup('g', 'one', { key: 's', id: '>' }, { COUNT: 3 }))
    eq(ids(messages), ['1-0', '2-0', '3-0'])
    await client.xReadGroup('g', 'two', { key: 's', id: '>' }, { NOACK: true })
    eq(await client.xAck('s', 'g', ['1-0', '4-0']), 1)
    const { pending, firstId, lastId } = await client.xPending('s', 'g')
    eq([pending, firstId, lastId], [2, '2-0', '3-0'])
    const listed = await client.xPendingRange('s', 'g', '-', '+', 10, { consumer: 'one' })
    eq(listed.map(one => [one.id, one.consumer ?? one.owner, one.deliveriesCounter]), [['2-0', 'one', 1], ['3-0', 'one', 1]])
    eq(await client.xClaimJustId('s', 'g', 'two', 0, '2-0'), ['2-0'])
    const claimed = await client.xAutoClaim('s', 'g', 'two', 0, '0-0', { COUNT: 10 })
    eq([claimed.nextId, ids(claimed.messages)], ['0-0', ['2-0', '3-0']])
    eq(await client.xGroupDelConsumer('s', 'g', 'two'), 2)
    eq((await client.xInfoGroups('s'))[0].consumers, 1)
    eq(await client.xGroupDestroy('s', 'g'), env.major < 5 ? true : 1)
  },
  async 'workers of a group'(env, client) {
    await client.xGroupCreate('jobs', 'g', '0', { MKSTREAM: true })
    const done = []
    const workers = range(8).map(async number => {
      const own = await env.client()
      for (let stop = false; !stop; ) {
        const reply = await own.xReadGroup('g', `w${number}`, { key: 'jobs', id: '>' }, { COUNT: 1, BLOCK: 15_000 })
        const [{ messages: [{ id, message }] }] = env.streams(reply)
        await own.xAck('jobs', 'g', id)
        stop = 'stop' in message
        if (!stop) done.push(Number(message.n))
      }
    })
    await Promise.all(range(100).map(n => client.xAdd('jobs', '*', { n: String(n) })))
    for (const _ of workers) await client.xAdd('jobs', '*', { stop: '1' })
    await Promise.all(workers)
    eq(done.sort((a, b) => a - b), range(100))
    eq((await client.xPending('jobs', 'g')).pending, 0)
  },
})
