import { atLeast, event, parseInfo } from '../kit.mjs'

export class Env {
  static protocols = major => (major < 6 ? [2] : [2, 3])
  opened = []

  constructor(settings) {
    Object.assign(this, settings)
    this.Redis = this.package.Redis
  }

  options(more = {}) {
    const [host, port] = this.server.split(':')
    const protocol = this.major < 6 ? {} : { protocol: this.protocol }
    return { host, port: Number(port), db: this.db, connectionName: 'compat', ...protocol, ...more }
  }

  /** A connected client. */
  async client(more) {
    const client = this.start(more)
    await event(client, 'ready')
    return client
  }

  /** A client that has only begun to connect. */
  start(more) {
    return this.keep(new this.Redis(this.options(more)))
  }

  keep(client) {
    client.sendCommandLine = (...line) => client.call(...line)
    client.on('error', error => (client.lastError = error))
    this.opened.push(client)
    return client
  }

  lockedAddress() {
    const [host, port] = this.locked.split(':')
    return { host, port: Number(port) }
  }

  /** Channels know no databases: a program's own carry its number. */
  channel(name) {
    return `${name}:${this.db}:${this.protocol}`
  }

  async since(version) {
    return atLeast(parseInfo(await this.opened[0].info('server')).redis_version, version)
  }

  async close() {
    for (const client of this.opened.splice(0)) client.disconnect()
  }
}
