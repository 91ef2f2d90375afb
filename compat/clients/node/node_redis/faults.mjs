import { eq, event, raises, sleep, topic } from '../kit.mjs'

topic('faults', {
  async 'reconnects after CLIENT KILL'(env, client) {
    const victim = await env.client()
    const id = await victim.clientId()
    const ready = event(victim, 'ready')
    eq(await client.clientKill({ filter: 'ID', id }), 1)
    await ready
    const info = await victim.clientInfo()
    eq([info.id !== id, info.name, info.db], [true, 'compat', env.db])
    eq(victim.lastError.constructor.name, 'SocketClosedUnexpectedlyError')
  },
  async 'without reconnecting, commands fail'(env, client) {
    const victim = await env.client({ socket: { reconnectStrategy: false } })
    const gone = event(victim, 'error')
    eq(await client.clientKill({ filter: 'ID', id: await victim.clientId() }), 1)
    await gone
    await raises(victim.get('k'), 'ClientClosedError', 'The client is closed')
  },
  async 'server closes'(env) {
    const client = await env.client()
    const ready = event(client, 'ready')
    eq(await client.sendCommand(['QUIT']), 'OK')
    await ready
    eq(await client.ping(), 'PONG')
  },
  async 'connection refused'(env) {
    await raises(env.start({ socket: { port: 1, reconnectStrategy: false } }).connect(), 'Error', 'ECONNREFUSED')
  },
  async 'late reply'(env, client) {
    // WRITE pauses are all a neighbour in the same run notices: its writes take 0.4 s longer
    const impatient = await env.client()
    await client.clientPause(400, 'WRITE')
    const late = impatient.set('k', 'late')
    eq(await Promise.race([late, sleep(100)]), undefined)
    eq([await impatient.get('none'), await late, await impatient.get('k')], [null, 'OK', 'late'])
  },
})
