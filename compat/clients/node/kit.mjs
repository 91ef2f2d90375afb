// Collects checks, hands them a server, counts.
import assert from 'node:assert/strict'

export const PASSWORD = 'secret'
const checks = []

/** Registers a topic's checks: name -> async (env, client) => void. */
export function topic(name, functions) {
  for (const [title, run] of Object.entries(functions)) checks.push({ title: `${name}: ${title}`, run })
}

export function eq(got, want) {
  assert.deepStrictEqual(plain(got), plain(want))
}

// node-redis returns objects without a prototype, which strict comparison tells from literals
function plain(value) {
  if (Array.isArray(value)) return value.map(plain)
  const isRecord = value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === null
  return isRecord ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, plain(v)])) : value
}

/** The promise must be rejected with an error of this class (by name) whose message holds the text. */
export async function raises(promise, name, text) {
  const error = await promise.then(() => null, error => error)
  assert.ok(error, `nothing thrown, want ${name}: ${text}`)
  const classes = [error.name, error.constructor.name, Object.getPrototypeOf(error.constructor).name]
  assert.ok(classes.includes(name) && error.message.includes(text), `got ${classes}: ${error.message}, want ${name}: ${text}`)
}

/** The next event of that name; unlike node's once() it does not mind an 'error' event before. */
export const event = (emitter, name) => new Promise(resolve => emitter.once(name, resolve))
export const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))
/** All events of that name, as they come. */
export function listen(emitter, name) {
  const heard = []
  emitter.on(name, (...values) => heard.push(values))
  return heard
}
/** Waits until the condition holds; a check ends after 20 seconds. */
export async function until(condition) {
  while (!(await condition())) await sleep(10)
}
export const range = n => Array.from({ length: n }, (_, i) => i)
export const parseInfo = text => Object.fromEntries(text.split('\r\n').filter(line => line.includes(':')).map(line => line.split(/:(.*)/s)))
export const parseClient = text => Object.fromEntries(text.trim().split(' ').map(field => field.split(/=(.*)/s)))
export const atLeast = (have, want) => have.localeCompare(want, undefined, { numeric: true }) >= 0

/** Runs every check on an empty database. An env opens clients with client() and closes them with close(). */
export async function run(env, label) {
  let passed = 0, failed = 0
  for (const { title, run } of checks) {
    try {
      await Promise.race([attempt(env, run), sleep(20_000).then(() => assert.fail('no end after 20 s'))])
      passed++
      console.log(`ok    ${label} ${title}`)
    } catch (error) {
      failed++
      const line = error.stack?.match(/(?:ioredis|node_redis)\/(\w+\.mjs:\d+)/)?.[1]
      console.log(`FAIL  ${label} ${title} (${line}): ${error.name}: ${error.message.replace(/\s+/g, ' ').slice(0, 500)}`)
    } finally {
      await env.close()
    }
  }
  return { passed, failed }
}

async function attempt(env, run) {
  const client = await env.client()
  await client.sendCommandLine('FLUSHDB')
  await run(env, client)
}
