// socketio.mjs DB SERVER LOCKED_SERVER: two socket.io servers, bound together by each of the adapters that go over Redis.
// The second goes to SECOND_SERVER, if that is set: another process over the same data.
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { eq, event, range, run, sleep, topic, until } from './kit.mjs'

const [db, server] = process.argv.slice(2)
const servers = [server, process.env.SECOND_SERVER || server]
const modules = createRequire(`${process.env.RESPG_CLIENTS_DIR ?? '/opt/respg-clients'}/node/`)
const { Server } = modules('socket.io')
const { io: connect } = modules('socket.io-client')
const { createAdapter, createShardedAdapter } = modules('@socket.io/redis-adapter')
const streams = modules('@socket.io/redis-streams-adapter')
const { Redis } = modules('ioredis6')
const { createClient } = modules('redis6')

class Env {
  opened = []

  constructor(adapter) {
    this.adapter = adapter
  }

  keep(close, value) {
    this.opened.push(close)
    return value
  }

  async ioredis(address) {
    const [host, port] = address.split(':')
    const client = new Redis({ host, port: Number(port), db: Number(db) })
    await event(client, 'ready')
    return this.keep(() => client.disconnect(), client)
  }

  async redis(address) {
    const [host, port] = address.split(':')
    const client = createClient({ socket: { host, port: Number(port) }, database: Number(db) })
    client.on('error', () => {})
    await client.connect()
    return this.keep(() => client.destroy(), client)
  }

  /** The client with which run() empties the database; socket.io gets its own. */
  async client() {
    const client = await this.ioredis(server)
    client.sendCommandLine = (...line) => client.call(...line)
    return client
  }

  /** Two servers, ready, with two clients each. */
  async world() {
    this.name = `${this.adapter.name}:${db}:${Math.random()}`
    const all = await Promise.all(servers.map(async address => {
      const http = createServer()
      const io = new Server(http, { adapter: await this.adapter.make(this, address), connectionStateRecovery: this.adapter.recovers })
      await new Promise(resolve => http.listen(0, '127.0.0.1', resolve))
      this.keep(() => io.close(), null)
      return { io, port: http.address().port }
    }))
    const clients = await Promise.all(range(4).map(n => this.browser(all[n % 2].port)))
    const [a, b] = all.map(({ io }) => io)
    await until(async () => (await a.fetchSockets()).length === 4 && (await b.fetchSockets()).length === 4)
    return { a, b, clients, ports: all.map(({ port }) => port) }
  }

  async browser(port) {
    const socket = connect(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true, reconnectionDelay: 50 })
    socket.heard = []
    // Where sessions are recovered, each message ends in its offset.
    const extra = this.adapter.recovers ? 1 : 0
    socket.onAny((...message) => socket.heard.push(message.slice(0, message.length - extra)))
    this.keep(() => socket.disconnect(), null)
    await event(socket, 'connect')
    return socket
  }

  async close() {
    for (const close of this.opened.splice(0).reverse()) await close()
  }
}

const adapters = [
  {
    name: 'redis-adapter (ioredis)',
    make: async (env, address) => createAdapter(await env.ioredis(address), await env.ioredis(address), { key: env.name }),
  },
  {
    name: 'redis-adapter (node-redis)',
    make: async (env, address) => createAdapter(await env.redis(address), await env.redis(address), { key: env.name }),
  },
  {
    name: 'redis-adapter, sharded (node-redis)',
    make: async (env, address) => createShardedAdapter(await env.redis(address), await env.redis(address), { channelPrefix: env.name, subscriptionMode: 'dynamic' }),
  },
  {
    name: 'redis-adapter, sharded (ioredis)',
    make: async (env, address) => createShardedAdapter(await env.ioredis(address), await env.ioredis(address), { channelPrefix: env.name }),
  },
  {
    name: 'redis-streams-adapter (ioredis)',
    recovers: { maxDisconnectionDuration: 60_000 },
    make: async (env, address) => streams.createAdapter(await env.ioredis(address), { streamName: env.name, blockTimeInMs: 500 }),
  },
  {
    name: 'redis-streams-adapter (node-redis)',
    recovers: { maxDisconnectionDuration: 60_000 },
    make: async (env, address) => streams.createAdapter(await env.redis(address), { streamName: env.name, blockTimeInMs: 500 }),
  },
]

topic('socket.io', {
  async 'everybody hears, once and in order'(env) {
    const { a, b, clients } = await env.world()
    const binary = Buffer.from(range(256))
    for (const n of range(50)) a.emit('count', n)
    await until(() => clients.every(({ heard }) => heard.length === 50))
    b.emit('binary', binary, { text: 'x'.repeat(20_000) })
    await until(() => clients.every(({ heard }) => heard.length === 51))
    for (const { heard } of clients) {
      eq(heard.slice(0, 50), range(50).map(n => ['count', n]))
      eq([heard[50][1], heard[50][2].text.length], [binary, 20_000])
    }
  },
  async rooms(env) {
    const { a, b, clients } = await env.world()
    a.in([clients[0].id, clients[1].id]).socketsJoin('room')
    await until(async () => (await b.in('room').fetchSockets()).length === 2)
    b.to('room').emit('hello', 1)
    a.to('room').except(clients[1].id).emit('hello', 2)
    await until(() => clients[0].heard.length === 2)
    await sleep(50)
    eq(clients.map(({ heard }) => heard.length), [2, 1, 0, 0])
    b.in('room').socketsLeave('room')
    await until(async () => (await a.in('room').fetchSockets()).length === 0)
  },
  async 'answers of all clients'(env) {
    const { a, clients } = await env.world()
    clients.forEach((client, n) => client.on('ask', answer => answer(n)))
    eq((await a.timeout(5000).emitWithAck('ask')).sort(), [0, 1, 2, 3])
  },
  async 'servers among themselves'(env) {
    const { a, b } = await env.world()
    b.on('ask', (text, answer) => answer(text + '!'))
    eq(await a.serverSideEmitWithAck('ask', 'hi'), ['hi!'])
  },
  async 'disconnecting a client of the other server'(env) {
    const { a, clients } = await env.world()
    const gone = event(clients[1], 'disconnect')
    a.in(clients[1].id).disconnectSockets()
    eq(await gone, 'io server disconnect')
    await until(async () => (await a.fetchSockets()).length === 3)
  },
  async 'a lost connection comes back at the other server'(env) {
    const { a, b, clients: [client], ports } = await env.world()
    a.emit('first')
    await until(() => client.heard.length === 1)
    client.io.engine.close()
    client.io.uri = `http://127.0.0.1:${ports[1]}`
    b.emit('missed')
    await event(client, 'connect')
    b.emit('last')
    await until(() => client.heard.at(-1)[0] === 'last')
    // The session and what was missed are in the stream, and nowhere with the other adapters.
    const recovers = Boolean(env.adapter.recovers)
    const names = recovers ? ['first', 'missed', 'last'] : ['first', 'last']
    eq([Boolean(client.recovered), client.heard.map(([name]) => name)], [recovers, names])
  },
})

// What is still asked when a check is over has no answer.
process.on('unhandledRejection', error => {
  if (error.name !== 'Error' && error.constructor.name !== 'DisconnectsClientError') throw error
})

let passed = 0, failed = 0
for (const adapter of adapters) {
  const result = await run(new Env(adapter), adapter.name)
  passed += result.passed
  failed += result.failed
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
