import { PASSWORD, eq, parseClient, raises, topic } from '../kit.mjs'

topic('connection', {
  async handshake(env, client) {
    const info = parseClient(await client.sendCommand(['CLIENT', 'INFO']))
    eq([info.name, info.db, info.resp], ['compat', String(env.db), String(env.protocol)])
    if (await env.since('7.2')) eq([info['lib-name'], info['lib-ver'] !== ''], ['node-redis', true])
  },
  async 'default connection'(env) {
    const client = await env.client({ database: undefined, name: undefined, RESP: undefined })
    const info = parseClient(await client.sendCommand(['CLIENT', 'INFO']))
    eq([await client.ping(), await client.clientGetName(), info.db, info.resp], ['PONG', null, '0', env.major < 6 ? '2' : '3'])
  },
  async 'ping, echo, select'(env) {
    const own = await env.client()
    eq([await own.ping(), await own.ping('hi'), await env.buffers(own).echo(Buffer.from([0, 255]))], ['PONG', 'hi', Buffer.from([0, 255])])
    await own.set('where', 'own')
    await own.select(15)
    eq(await own.exists('where'), 0)
  },
  async password(env) {
    const client = env.startLocked({ password: PASSWORD })
    await client.connect()
    const info = await client.clientInfo()
    eq([info.name, info.db, info.user], ['compat', env.db, 'default'])
    const named = env.startLocked({ username: 'default', password: PASSWORD })
    await named.connect()
    eq(await named.ping(), 'PONG')
  },
  async 'password in URL'(env) {
    const client = env.keep(env.package.createClient({ url: `redis://:${PASSWORD}@${env.locked}/${env.db}` }))
    await client.connect()
    eq((await client.clientInfo()).db, env.db)
  },
  async 'no password'(env) {
    const client = env.startLocked({ name: undefined, database: 0 })
    await raises(client.connect().then(() => client.get('k')), 'ErrorReply', 'NOAUTH')
  },
  async 'wrong password'(env) {
    await raises(env.startLocked({ password: 'wrong' }).connect(), 'ErrorReply', 'WRONGPASS invalid username-password pair or user is disabled.')
  },
  async 'bad database'(env) {
    await raises(env.start({ database: 9999, socket: { reconnectStrategy: false } }).connect(), 'ErrorReply', 'ERR DB index is out of range')
  },
})
