import { PASSWORD, eq, event, parseClient, raises, topic } from '../kit.mjs'

topic('connection', {
  async handshake(env, client) {
    const info = parseClient(await client.client('INFO'))
    eq([info.name, info.db, info.resp], ['compat', String(env.db), String(env.protocol)])
    if (await env.since('7.2')) eq([info['lib-name'], info['lib-ver']], ['ioredis', env.version])
  },
  async 'default connection'(env) {
    const client = await env.client({ db: 0, connectionName: undefined })
    eq([await client.ping(), await client.client('GETNAME'), parseClient(await client.client('INFO')).db], ['PONG', null, '0'])
  },
  async 'ping, echo, select'(env, client) {
    const own = await env.client()
    eq([await own.ping(), await own.ping('hi')], ['PONG', 'hi'])
    eq(await own.echoBuffer(Buffer.from([0, 255])), Buffer.from([0, 255]))
    await own.set('where', 'own')
    eq([await own.select(15), await own.exists('where')], ['OK', 0])
  },
  async password(env) {
    const client = await env.client({ ...env.lockedAddress(), password: PASSWORD })
    const info = parseClient(await client.client('INFO'))
    eq([info.name, info.db, info.user], ['compat', String(env.db), 'default'])
    const named = await env.client({ ...env.lockedAddress(), username: 'default', password: PASSWORD })
    eq(await named.ping(), 'PONG')
  },
  async 'password in URL'(env) {
    const client = env.keep(new env.Redis(`redis://:${PASSWORD}@${env.locked}/${env.db}`))
    eq(parseClient(await client.client('INFO')).db, String(env.db))
  },
  async 'no password'(env) {
    const client = env.start({ ...env.lockedAddress(), enableReadyCheck: false })
    await raises(client.get('k'), 'ReplyError', 'NOAUTH')
  },
  async 'wrong password'(env) {
    const client = env.start({ ...env.lockedAddress(), password: 'wrong', retryStrategy: null })
    const error = await event(client, 'error')
    // ioredis 6 reports the first of the handshake's errors it sees, which may be SELECT's
    eq(/^(WRONGPASS invalid username-password pair or user is disabled|NOAUTH Authentication required)\.$/.test(error.message), true)
  },
  async 'password where none is needed'(env) {
    // ioredis only warns when AUTH is refused this way, and goes on
    const warn = console.warn
    const warnings = []
    console.warn = text => warnings.push(text)
    try {
      const client = await env.client({ password: 'needless' })
      eq(await client.ping(), 'PONG')
      eq(warnings.some(text => text.includes('does not require a password')), env.protocol === 2)
    } finally {
      console.warn = warn
    }
  },
  async 'bad database'(env) {
    const client = env.start({ db: 9999, retryStrategy: null })
    const error = await event(client, 'error')
    eq(error.message.includes('DB index is out of range'), true)
  },
})
