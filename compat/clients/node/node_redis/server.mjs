import { eq, parseInfo, raises, topic } from '../kit.mjs'

topic('server', {
  async info(env, client) {
    await client.set('k', 'v', { EX: 1000 })
    const info = parseInfo(await client.info())
    eq(/^\d+\.\d+\.\d+$/.test(info.redis_version), true)
    eq([info.redis_mode ?? info.server_mode, info.role, info.loading, info.maxmemory_policy], ['standalone', 'master', '0', 'noeviction'])
    eq(info[`db${env.db}`].startsWith('keys=1,expires=1,avg_ttl='), true)
    eq(parseInfo(await client.info('server')).used_memory, undefined)
  },
  async config(env, client) {
    eq(await client.configGet('databases'), { databases: '16' })
    eq((await client.configGet('maxmemory-p*'))['maxmemory-policy'], 'noeviction')
    eq(await client.configGet('no-such-option'), {})
    const old = await client.configGet('slowlog-log-slower-than')
    eq(await client.configSet(old), 'OK')
    await raises(client.configSet('nope', '1'), 'ErrorReply', "ERR Unknown option or number of arguments for CONFIG SET - 'nope'")
  },
  async command(env, client) {
    const [get] = await client.commandInfo(['get'])
    eq([get.name, get.arity, [...get.flags].sort(), get.firstKeyIndex, get.lastKeyIndex, get.step], ['get', 2, ['fast', 'readonly'], 1, 1, 1])
    eq([(await client.command()).length === (await client.commandCount()), (await client.commandList()).includes('get')], [true, true])
    eq(await client.commandGetKeys(['MSET', 'a', '1', 'b', '2']), ['a', 'b'])
  },
  async 'client commands'(env, client) {
    const own = await env.client({ name: 'first' })
    const id = await own.clientId()
    eq([await own.clientGetName(), await own.clientSetName('second')], ['first', 'OK'])
    const row = (await client.clientList()).find(row => row.id === id)
    eq([row.name, row.db, row.addr.split(':')[0]], ['second', env.db, '127.0.0.1'])
    await raises(own.clientSetName('a b'), 'ErrorReply', 'ERR Client names cannot contain spaces')
    eq(await own.clientNoEvict(true), 'OK')
  },
  async 'odds and ends'(env, client) {
    const time = await client.time()
    eq(Math.abs((env.major < 5 ? time / 1000 : time[0]) - Date.now() / 1000) < 5, true)
    eq([await client.dbSize(), (await client.role()).role, await client.wait(0, 10)], [0, 'master', 0])
    eq(Number(await client.lastSave()) > 0, true)
    await client.set('k', 'v')
    eq([await client.flushDb('ASYNC'), await client.dbSize()], ['OK', 0])
  },
  async errors(env, client) {
    await raises(client.sendCommand(['NOSUCH', 'a', 'b']), 'ErrorReply', "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ")
    await raises(client.sendCommand(['GET']), 'ErrorReply', "ERR wrong number of arguments for 'get' command")
    await raises(client.sendCommand(['SET', 'k', 'v', 'NOPE']), 'ErrorReply', 'ERR syntax error')
    await raises(client.sendCommand(['CLIENT', 'NOSUCH']), 'ErrorReply', "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.")
    await raises(client.sendCommand(['CLUSTER', 'INFO']), 'ErrorReply', 'ERR This instance has cluster support disabled')
  },
})
