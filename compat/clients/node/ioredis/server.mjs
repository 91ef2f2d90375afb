import { eq, parseClient, parseInfo, raises, topic } from '../kit.mjs'

const pairs = list => Object.fromEntries(list.flatMap((item, i) => (i % 2 ? [] : [[item, list[i + 1]]])))

topic('server', {
  async info(env, client) {
    await client.set('k', 'v', 'EX', 1000)
    const info = parseInfo(await client.info())
    eq(/^\d+\.\d+\.\d+$/.test(info.redis_version), true)
    eq([info.redis_mode ?? info.server_mode, info.role, info.loading, info.maxmemory_policy], ['standalone', 'master', '0', 'noeviction'])
    eq(info[`db${env.db}`].startsWith('keys=1,expires=1,avg_ttl='), true)
    eq(parseInfo(await client.info('server')).used_memory, undefined)
  },
  async config(env, client) {
    eq(await client.config('GET', 'databases'), ['databases', '16'])
    eq(pairs(await client.config('GET', 'maxmemory-p*', 'timeout'))['maxmemory-policy'], 'noeviction')
    eq(await client.config('GET', 'no-such-option'), [])
    const [name, value] = await client.config('GET', 'slowlog-log-slower-than')
    eq(await client.config('SET', name, value), 'OK')
    await raises(client.config('SET', 'nope', '1'), 'ReplyError', "ERR Unknown option or number of arguments for CONFIG SET - 'nope'")
  },
  async command(env, client) {
    const [get] = await client.command('INFO', 'get')
    eq(get.slice(0, 6), ['get', 2, ['readonly', 'fast'], 1, 1, 1])
    eq((await client.command('COUNT')) > 50, true)
    eq(await client.command('GETKEYS', 'MSET', 'a', 1, 'b', 2), ['a', 'b'])
    eq((await client.command()).length, await client.command('COUNT'))
    const docs = pairs(pairs(await client.command('DOCS', 'get')).get)
    eq([docs.group, docs.since, docs.arguments.length], ['string', '1.0.0', 1])
  },
  async 'client commands'(env, client) {
    const own = await env.client({ connectionName: 'first' })
    const id = await own.client('ID')
    eq([await own.client('GETNAME'), await own.client('SETNAME', 'second')], ['first', 'OK'])
    const row = (await client.client('LIST')).trim().split('\n').map(parseClient).find(row => row.id === String(id))
    eq([row.name, row.db, row.addr.split(':')[0]], ['second', String(env.db), '127.0.0.1'])
    eq(parseClient(await client.client('LIST', 'ID', id)).id, String(id))
    await raises(own.client('SETNAME', 'a b'), 'ReplyError', 'ERR Client names cannot contain spaces')
    eq([await client.client('UNBLOCK', id), await own.client('NO-EVICT', 'ON')], [0, 'OK'])
  },
  async 'odds and ends'(env, client) {
    const [seconds, micros] = await client.time()
    eq([Math.abs(seconds - Date.now() / 1000) < 5, Number(micros) < 1_000_000], [true, true])
    eq([await client.dbsize(), (await client.role())[0], await client.wait(0, 10)], [0, 'master', 0])
    eq([Number.isInteger(await client.lastsave()), Array.isArray(await client.slowlog('GET'))], [true, true])
    eq((await client.lolwut()).includes(' ver. '), true)
    await client.set('k', 'v')
    eq([await client.flushdb('ASYNC'), await client.dbsize()], ['OK', 0])
  },
  async errors(env, client) {
    await raises(client.call('NOSUCH', 'a', 'b'), 'ReplyError', "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ")
    await raises(client.get(), 'ReplyError', "ERR wrong number of arguments for 'get' command")
    await raises(client.set('k', 'v', 'NOPE'), 'ReplyError', 'ERR syntax error')
    await raises(client.client('NOSUCH'), 'ReplyError', "ERR unknown subcommand 'NOSUCH'. Try CLIENT HELP.")
    await raises(client.cluster('INFO'), 'ReplyError', 'ERR This instance has cluster support disabled')
    const error = await client.set('k').catch(error => error)
    eq(error.command, { name: 'set', args: ['k'] })
  },
})
