// The real program on a free loopback port, with one person who has every claim.
import { execFile, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = new URL('../../..', import.meta.url).pathname
const claimsFile = new URL('../../claims.json', import.meta.url).pathname

export const maria = { email: 'maria@example.org', password: 'correct horse battery staple' }

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

/** claims is what UserInfo must tell of Maria. */
export async function claims () {
  return { ...JSON.parse(await readFile(claimsFile)), email: maria.email, email_verified: true }
}

/** openHouse builds and starts the program. */
export async function openHouse () {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'valetkey-interop-'))
  const binary = process.env.VALETKEY_BIN ?? path.join(dir, 'valetkey')
  if (!process.env.VALETKEY_BIN) await run('go', ['build', '-o', binary, './cmd/valetkey'], { cwd: root })
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const foreign = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VALETKEY_')))
  const env = {
    ...foreign,
    VALETKEY_ADDR: `127.0.0.1:${port}`,
    VALETKEY_TEST_ENDPOINTS: 'true', // /oauth/info, a resource to try tokens on
    VALETKEY_REGISTRATION_MODE: 'open',
    VALETKEY_REGISTRATION_BURST: '1000',
    VALETKEY_FETCH_ALLOW: '127.0.0.1',
    VALETKEY_SERVER_DRAIN: '0s'
  }
  /** command runs the program beside the server, with text on its standard input. */
  const command = (args, text = '') => new Promise((resolve, reject) => {
    const child = execFile(binary, args, { cwd: dir, env }, (error, stdout, stderr) =>
      error ? reject(new Error(`valetkey ${args.join(' ')}: ${stderr}`)) : resolve(stdout))
    child.stdin.end(text)
  })
  await command(['init', '--issuer', issuer])
  await command(['user', 'create', maria.email, '--password-file', '-', '--verified', '--claims', claimsFile], maria.password)

  const logFile = path.join(dir, 'server.log')
  const log = createWriteStream(logFile)
  const server = spawn(binary, ['serve'], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
  server.stdout.pipe(log, { end: false })
  server.stderr.pipe(log, { end: false })
  let over = false
  const ended = new Promise(resolve => server.once('exit', code => { over = true; resolve(code) }))
  const close = async () => {
    server.kill('SIGTERM')
    const late = setTimeout(() => server.kill('SIGKILL'), 15_000)
    await ended
    clearTimeout(late)
    await rm(dir, { recursive: true, force: true })
  }
  for (let tries = 0; ; tries++) {
    try {
      if ((await fetch(issuer + '/readyz')).ok) break
    } catch {}
    if (over || tries === 400) throw new Error(`the server is not ready:\n${await readFile(logFile, 'utf8')}`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  return {
    issuer,
    close,
    output: () => readFile(logFile, 'utf8'),
    /** register registers a client as it would itself (RFC 7591 §3). */
    async register (metadata) {
      const { registration_endpoint: endpoint } = await (await fetch(issuer + '/.well-known/openid-configuration')).json()
      const response = await fetch(endpoint, {
        method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(metadata)
      })
      const answer = await response.json()
      if (response.status !== 201) throw new Error(`registration: ${response.status}: ${JSON.stringify(answer)}`)
      return answer
    },
    /** create makes a client as an operator does, who may allow what none may allow itself. */
    async create (...args) {
      return JSON.parse(await command(['client', 'create', '--name', 'of the operator', ...args, '-o', 'json']))
    },
    /** allows tries a token on a resource that wants test:scope. */
    async allows (token) {
      return (await fetch(issuer + '/oauth/info', { headers: { Authorization: `Bearer ${token}` } })).status === 200
    }
  }
}
