import { eq, event, parseClient, raises, sleep, topic } from '../kit.mjs'

topic('faults', {
  async 'reconnects after CLIENT KILL'(env, client) {
    const victim = await env.client()
    const id = await victim.client('ID')
    eq(await client.client('KILL', 'ID', id), 1)
    await event(victim, 'ready')
    const info = parseClient(await victim.client('INFO'))
    eq([info.id !== String(id), info.name, info.db], [true, 'compat', String(env.db)])
  },
  async 'commands in flight are resent'(env, client) {
    const victim = await env.client()
    const id = await victim.client('ID')
    await client.client('KILL', 'ID', id)
    eq(await victim.incr('n'), 1)
  },
  async 'gives up after maxRetriesPerRequest'(env) {
    const client = env.start({ port: 1, maxRetriesPerRequest: 1, retryStrategy: () => 1 })
    await raises(client.ping(), 'MaxRetriesPerRequestError', 'Reached the max retries per request limit')
  },
  async 'server closes'(env) {
    const client = await env.client()
    const closed = event(client, 'close')
    eq(await client.quit(), 'OK')
    await closed
    await client.connect()
    eq(await client.ping(), 'PONG')
  },
  async timeout(env, client) {
    // WRITE pauses are all a neighbour in the same run notices: its writes take 0.4 s longer
    const impatient = await env.client({ commandTimeout: 100 })
    await client.client('PAUSE', 400, 'WRITE')
    await raises(impatient.set('k', 'late'), 'Error', 'Command timed out')
    await sleep(500)
    eq([await impatient.get('none'), await impatient.get('k')], [null, 'late'])
  },
})
