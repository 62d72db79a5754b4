// Builds and runs the real programs: "valetkey dev" and the example consumer.
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = new URL('../..', import.meta.url).pathname

/** freePort returns a loopback port that was free a moment ago. */
export function freePort () {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })
}

/** workshop is a temporary folder that holds the binaries and databases of one test file. */
export async function workshop () {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'valetkey-e2e-'))
  const build = async (name, pkg) => {
    const file = path.join(dir, name)
    await run('go', ['build', '-o', file, pkg], { cwd: root })
    return file
  }
  return { dir, build, remove: () => rm(dir, { recursive: true, force: true }) }
}

/** start runs a program until it answers at url; stop() ends it again. */
async function start (file, args, env, url, dir) {
  const logFile = path.join(dir, path.basename(file) + '.log')
  const log = createWriteStream(logFile, { flags: 'a' })
  // The knobs of tests are spelled like settings, and are none.
  const foreign = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VALETKEY_')))
  const child = spawn(file, args, { cwd: dir, env: { ...foreign, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  const ended = new Promise(resolve => child.once('exit', resolve))
  let over = false
  ended.then(() => { over = true })
  const stop = async () => {
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(late)
  }
  const output = () => readFile(logFile, 'utf8')
  for (let tries = 0; tries < 400; tries++) {
    if (over) throw new Error(`${path.basename(file)} ended before it was ready:\n${await output()}`)
    try {
      await fetch(url, { redirect: 'manual' })
      return { url, stop, output }
    } catch {
      await new Promise(resolve => setTimeout(resolve, 25))
    }
  }
  await stop()
  throw new Error(`${path.basename(file)} does not answer at ${url}:\n${await output()}`)
}

/** startDev runs "valetkey dev" on a free port with a database of its own. */
export async function startDev (shop) {
  const binary = process.env.VALETKEY_BIN ?? await shop.build('valetkey', './cmd/valetkey')
  const port = await freePort()
  return start(binary, ['dev', '--addr', `127.0.0.1:${port}`], {}, `http://127.0.0.1:${port}`, shop.dir)
}

/** startConsumer runs the example consumer with the credentials the page showed. */
export async function startConsumer (shop, server, port, credentials) {
  const binary = await shop.build('consumer', './examples/consumer')
  return start(binary, ['-addr', `127.0.0.1:${port}`, '-issuer', server], {
    CONSUMER_CLIENT_ID: credentials.id,
    CONSUMER_CLIENT_SECRET: credentials.secret
  }, `http://127.0.0.1:${port}`, shop.dir)
}
