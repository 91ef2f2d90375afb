import { eq, raises, range, sleep, topic } from '../kit.mjs'

topic('streams', {
  async 'add, range, trim'(env, client) {
    const id = await client.xadd('s', '*', 'f', 'v')
    eq(Math.abs(Number(id.split('-')[0]) - Date.now()) < 60_000, true)
    eq(await client.xadd('s', 'MAXLEN', '=', 2, '9999999999999-*', 'g', Buffer.from([0, 255])), '9999999999999-0')
    eq((await client.xrangeBuffer('s', '(' + id, '+'))[0][1][1], Buffer.from([0, 255]))
    eq([await client.xrange('s', id, id), await client.xlen('s')], [[[id, ['f', 'v']]], 2])
    eq([await client.xtrim('s', 'MAXLEN', 1), await client.xdel('s', '9999999999999-0'), await client.xlen('s')], [1, 1, 0])
    await raises(client.xadd('s', '1-1', 'f', 'v'), 'ReplyError', 'equal or smaller than the target stream top item')
  },
  async 'blocking read'(env, client) {
    const reader = await env.client()
    eq(await reader.xread('BLOCK', 50, 'STREAMS', 's', '$'), null)
    const reading = reader.xread('COUNT', 10, 'BLOCK', 10_000, 'STREAMS', 'none', 's', '$', '$')
    await sleep(100)
    await client.multi().xadd('s', '1-1', 'n', 1).xadd('s', '1-2', 'n', 2).exec()
    eq(await reading, [['s', [['1-1', ['n', '1']], ['1-2', ['n', '2']]]]])
  },
  async groups(env, client) {
    eq(await client.xgroup('CREATE', 's', 'g', '$', 'MKSTREAM'), 'OK')
    await raises(client.xgroup('CREATE', 's', 'g', '$'), 'ReplyError', 'BUSYGROUP')
    for (const n of range(4)) await client.xadd('s', `${n + 1}-0`, 'n', n)
    const [[, taken]] = await client.xreadgroup('GROUP', 'g', 'one', 'COUNT', 3, 'STREAMS', 's', '>')
    eq(taken.map(([id]) => id), ['1-0', '2-0', '3-0'])
    eq(await client.xreadgroup('GROUP', 'g', 'two', 'NOACK', 'STREAMS', 's', '>'), [['s', [['4-0', ['n', '3']]]]])
    eq([await client.xack('s', 'g', '1-0', '4-0'), await client.xpending('s', 'g')], [1, [2, '2-0', '3-0', [['one', '2']]]])
    const listed = await client.xpending('s', 'g', 'IDLE', 0, '-', '+', 10, 'one')
    eq(listed.map(([id, who, , times]) => [id, who, times]), [['2-0', 'one', 1], ['3-0', 'one', 1]])
    eq(await client.xclaim('s', 'g', 'two', 0, '2-0', 'JUSTID'), ['2-0'])
    eq(await client.xautoclaim('s', 'g', 'two', 0, '0-0', 'COUNT', 10), ['0-0', [['2-0', ['n', '1']], ['3-0', ['n', '2']]], []])
    eq(await client.xgroup('DELCONSUMER', 's', 'g', 'two'), 2)
    eq((await client.xinfo('GROUPS', 's'))[0].slice(0, 6), ['name', 'g', 'consumers', 1, 'pending', 0])
  },
  async 'workers of a group'(env, client) {
    await client.xgroup('CREATE', 'jobs', 'g', '0', 'MKSTREAM')
    const done = []
    const workers = range(8).map(async number => {
      const own = await env.client()
      for (let stop = false; !stop; ) {
        const reply = await own.xreadgroup('GROUP', 'g', `w${number}`, 'COUNT', 1, 'BLOCK', 15_000, 'STREAMS', 'jobs', '>')
        const [[, [[id, [field, value]]]]] = reply
        await own.xack('jobs', 'g', id)
        stop = field === 'stop'
        if (!stop) done.push(Number(value))
      }
    })
    await Promise.all(range(100).map(n => client.xadd('jobs', '*', 'n', n)))
    for (const _ of workers) await client.xadd('jobs', '*', 'stop', 1)
    await Promise.all(workers)
    eq(done.sort((a, b) => a - b), range(100))
    eq((await client.xpending('jobs', 'g'))[0], 0)
  },
})
