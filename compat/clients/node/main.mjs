// main.mjs PACKAGE DB SERVER LOCKED_SERVER: one of package.json's clients, in every protocol it speaks.
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { run } from './kit.mjs'

const [name, db, server, locked] = process.argv.slice(2)
const modules = createRequire(`${process.env.RESPG_CLIENTS_DIR ?? '/opt/respg-clients'}/node/`)
const family = name.startsWith('ioredis') ? 'ioredis' : 'node_redis'
const major = Number(name.at(-1))
const { Env } = await import(`./${family}/env.mjs`)
for (const file of readdirSync(new URL(family, import.meta.url)).sort()) await import(`./${family}/${file}`)

let passed = 0, failed = 0
for (const protocol of Env.protocols(major)) {
  const env = new Env({ package: modules(name), version: modules(`${name}/package.json`).version, major, db: Number(db), server, locked, protocol })
  const result = await run(env, `RESP${protocol}`)
  passed += result.passed
  failed += result.failed
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
