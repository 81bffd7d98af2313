// Scores one running proxy with an installed http-tests/cache-tests.
//   node scripts/conformance.mjs SUITE-FOLDER PROXY-URL ORIGIN-PORT
// A test counts as passed when it and all that it depends on are. Exit 1 where the suite could not be run.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [suite, proxy, port] = process.argv.slice(2)
const own = mkdtempSync(join(tmpdir(), 'conformance-'))
const settings = {
  npm_config_protocol: 'http',
  npm_config_port: port,
  npm_config_base: proxy,
  npm_config_id: '',
  npm_config_pidfile: join(own, 'pid'),
  npm_package_config_id: '',
  npm_package_config_base: ''
}
Object.assign(process.env, settings)
process.chdir(suite)

const opens = where => new Promise(resolve => {
  const socket = connect(where)
  socket.once('connect', () => { socket.destroy(); resolve(true) })
  socket.once('error', () => resolve(false))
})
const isUp = async where => {
  for (let tries = 0; tries < 200; tries++) {
    if (await opens(where)) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`nobody listens on port ${where.port}`)
}

const origin = spawn(process.execPath, ['--no-warnings', 'test-engine/server/server.mjs'], { stdio: 'ignore' })
try {
  await isUp({ host: '127.0.0.1', port: Number(port) })
  await isUp({ host: '127.0.0.1', port: Number(new URL(proxy).port) })
  // A Redis session needs a moment after the start.
  await new Promise(resolve => setTimeout(resolve, 1000))

  const load = path => import(pathToFileURL(join(suite, path)).href)
  const { runTests, getResults } = await load('test-engine/client/runner.mjs')
  const suites = (await load('tests/index.mjs')).default
  const said = console.log
  console.log = () => {}
  await runTests(suites, false, proxy, 400)
  console.log = said
  const results = getResults()

  const tests = new Map(suites.flatMap(group => group.tests).map(test => [test.id, test]))
  const known = new Map()
  const passed = id => {
    if (!known.has(id)) {
      known.set(id, false)
      known.set(id, results[id] === true && (tests.get(id)?.depends_on ?? []).every(passed))
    }
    return known.get(id)
  }
  const score = (kind) => {
    const all = [...tests.values()].filter(test => !test.browser_only && (test.kind ?? 'required') === kind)
    const failed = all.filter(test => !passed(test.id)).map(test => test.id)
    return { text: `${kind} ${all.length - failed.length}/${all.length}`, failed }
  }
  const [required, optimal, check] = ['required', 'optimal', 'check'].map(score)
  console.log(`${required.text}, ${optimal.text}, ${check.text}`)
  for (const id of required.failed) console.log(`    required, failed: ${id}`)
  for (const id of optimal.failed) console.log(`    optimal, failed: ${id}`)
} catch (error) {
  console.error(`conformance: ${error.message}`)
  process.exitCode = 1
} finally {
  origin.kill()
  await once(origin, 'exit')
  rmSync(own, { recursive: true, force: true })
}
process.exit()
