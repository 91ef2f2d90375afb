import { atLeast, parseInfo, range } from '../kit.mjs'

export class Env {
  static protocols = major => (major < 5 ? [2] : [2, 3])
  opened = []

  constructor(settings) {
    Object.assign(this, settings)
  }

  options({ socket, ...more } = {}) {
    const [host, port] = this.server.split(':')
    // version 5 calls what it makes of XREAD in RESP3 unstable, and returns it as it is
    const protocol = this.major < 5 ? {} : { RESP: this.protocol, unstableResp3: true }
    return { socket: { host, port: Number(port), ...socket }, database: this.db, name: 'compat', ...protocol, ...more }
  }

  /** A connected client. */
  async client(more) {
    const client = this.start(more)
    await client.connect()
    return client
  }

  /** A client that is not connected yet. */
  start(more) {
    return this.keep(this.package.createClient(this.options(more)))
  }

  keep(client) {
    client.sendCommandLine = (...line) => client.sendCommand(line)
    client.on('error', error => (client.lastError = error))
    this.opened.push(client)
    return client
  }

  /** A client, not connected yet, of the server that wants a password. */
  startLocked(more) {
    const [host, port] = this.locked.split(':')
    return this.start({ socket: { host, port: Number(port), reconnectStrategy: false }, ...more })
  }

  /** The package's own pool of 50: createClientPool, or up to version 4 the client's executeIsolated. */
  async keepPool() {
    if (this.major < 5) {
      const client = await this.client({ isolationPoolOptions: { max: 50 } })
      return { execute: use => client.executeIsolated(use) }
    }
    // Not the 3 seconds after which it gives up by itself: the machine may be busy.
    const pool = this.package.createClientPool(this.options(), { maximum: 50, acquireTimeout: 30_000 })
    pool.on('error', () => {})
    await pool.connect()
    this.opened.push(pool)
    return pool
  }

  /** The client, answering with Buffers instead of strings. */
  buffers(client) {
    const { RESP_TYPES, commandOptions } = this.package
    if (this.major >= 5) return client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
    const options = commandOptions({ returnBuffers: true })
    return new Proxy(client, { get: (_, name) => (...args) => client[name](options, ...args) })
  }

  /** All keys of a scanIterator, which yields keys up to version 4 and pages of keys since. */
  async scanned(client, options) {
    const keys = new Set()
    for await (const found of client.scanIterator(options)) [found].flat().forEach(key => keys.add(key))
    return keys
  }

  /** XREAD's and XREADGROUP's reply as a list of { name, messages: [{ id, message }] }. */
  streams(reply) {
    if (Array.isArray(reply)) return reply
    const fields = list => Object.fromEntries(range(list.length / 2).map(n => [list[2 * n], list[2 * n + 1]]))
    const messages = entries => entries.map(([id, list]) => ({ id, message: fields(list) }))
    return Object.entries(reply).map(([name, entries]) => ({ name, messages: messages(entries) }))
  }

  /** Channels know no databases: a program's own carry its number. */
  channel(name) {
    return `${name}:${this.db}:${this.protocol}`
  }

  async since(version) {
    return atLeast(parseInfo(await this.opened[0].info('server')).redis_version, version)
  }

  async close() {
    for (const client of this.opened.splice(0)) {
      if (client.isOpen) await (client.destroy ?? client.disconnect).call(client)
    }
  }
}
