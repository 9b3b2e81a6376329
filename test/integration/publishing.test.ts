/** Published ports of containers that are there already come and go; who has a port is said; settings of the daemon. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'node:test'
import { EngineApi } from '#test/support/engine-api.ts'

let api: EngineApi

before(async () => {
  api = await EngineApi.start()
})
after(() => api[Symbol.asyncDispose]())
afterEach(async () => {
  await api.daemon.removeAll()
  await api.daemon.assertNoLeaks()
})

const SERVER =
  'mkdir -p /www/1 /www/2; echo one > /www/1/index.html; echo two > /www/2/index.html; httpd -p 81 -h /www/2; exec httpd -f -p 80 -h /www/1'

function asked(port: number, address = '127.0.0.1'): string {
  return api.daemon.inside('curl', '-s', '-g', '-m', '1', `http://${address}:${port}/`).stdout.trim()
}

async function answers(port: number, text = 'one', address?: string): Promise<void> {
  await api.until(`${text} at port ${port}`, async () => asked(port, address) === text)
}

async function web(ports: Readonly<Record<string, readonly { HostPort: string }[]>>): Promise<string> {
  return api.started({ Cmd: SERVER, HostConfig: { PortBindings: ports } }, 'web')
}

async function update(Berth: object): Promise<void> {
  await api.call('POST', '/containers/web/update', { Berth }, 200)
}

async function ports(): Promise<string[]> {
  const { Ports } = (await api.inspect('web')).NetworkSettings as {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null>
  }
  return Object.entries(Ports)
    .flatMap(([port, bindings]) =>
      (bindings ?? []).map(({ HostIp, HostPort }) => `${HostIp} ${HostPort} ${port}`),
    )
    .toSorted()
}

const at = (HostPort: number) => ({ HostPort: String(HostPort) })

describe('update of published ports', () => {
  it('takes effect at once, and survives the daemon and the container', async () => {
    await web({ '80/tcp': [at(8080)] })
    await answers(8080)
    const args = ['update', '--publish-add', '127.0.0.1:8081:81', '--publish-rm', '8080:80', 'web']
    const { code, stdout, stderr } = api.daemon.berth(...args)
    assert.deepEqual([code, stdout.trim()], [0, 'web'], stderr)
    assert.equal(asked(8081), 'two')
    assert.equal(asked(8080), '')
    assert.deepEqual(await ports(), ['127.0.0.1 8081 81/tcp'])
    await api.daemon.down('SIGKILL')
    await api.daemon.up()
    assert.equal(asked(8081), 'two')
    await api.call('POST', '/containers/web/restart?t=0', undefined, 204)
    await answers(8081, 'two')
    assert.equal(asked(8080), '')
    // A port of one's own choice, in both families; then none at all.
    await update({ PublishAdd: { '80/tcp': [] }, PublishRemove: { '81': [] } })
    const [v4 = '', v6 = ''] = await ports()
    const number = Number(v4.split(' ')[1])
    assert.equal(v6, `:: ${number} 80/tcp`)
    assert.deepEqual([asked(number), asked(number, '[::1]')], ['one', 'one'])
    await update({ PublishRemove: { '80': [] } })
    assert.deepEqual([await ports(), asked(number)], [[], ''])
  })

  it('leads a host port elsewhere without a moment in which it is closed', async () => {
    await web({ '80/tcp': [at(8080)], '81/tcp': [at(8090)] })
    await answers(8080)
    await answers(8090, 'two')
    await using load = await Load.start(8090)
    for (const [from, to, text] of [
      [80, 81, 'two'],
      [81, 80, 'one'],
      [80, 81, 'two'],
    ] as const) {
      await update({ PublishRemove: { [from]: [at(8080)] }, PublishAdd: { [to]: [at(8080)] } })
      assert.equal(asked(8080), text)
      // The socket that holds the port, which serves ::1, leads there as well.
      assert.equal(asked(8080, '[::1]'), text)
    }
    assert.deepEqual(await load.stop(), [], 'another port was not disturbed')
  })

  it('is there at the next start of a stopped container', async () => {
    const id = await api.create(
      { Cmd: SERVER, HostConfig: { PortBindings: { '80/tcp': [at(8080)] } } },
      'web',
    )
    await update({ PublishAdd: { '81': [at(8081)] }, PublishRemove: { '80': [at(8080)] } })
    await api.call('POST', `/containers/${id}/start`, undefined, 204)
    await answers(8081, 'two')
    assert.equal(asked(8080), '')
  })

  it('says who has a port that is taken, and changes nothing', async () => {
    await api.started({ Cmd: SERVER, HostConfig: { PortBindings: { '80/tcp': [at(8070)] } } }, 'other')
    await web({ '80/tcp': [at(8080)] })
    const foreign = await listener(8071)
    try {
      const before = [await ports(), (await api.inspect('web')).HostConfig]
      for (const [taken, words] of [
        [8070, /Bind for 0\.0\.0\.0:8070 failed: port is already allocated by container other$/],
        [8071, /address already in use by \S+ \(process \d+\)$/],
      ] as const) {
        const Berth = { PublishAdd: { '81': [at(8075), at(taken)] }, PublishRemove: { '80': [] } }
        const message = await api.refused(500, 'POST', '/containers/web/update', { Berth, CpuShares: 77 })
        assert.match(message, words)
        assert.deepEqual([await ports(), (await api.inspect('web')).HostConfig], before)
        assert.deepEqual([asked(8080), asked(8075)], ['one', ''])
      }
      const config = { Cmd: SERVER, HostConfig: { PortBindings: { '80/tcp': [at(8070)] } } }
      const late = await api.create(config, 'late')
      assert.match(
        await api.refused(500, 'POST', `/containers/${late}/start`),
        /port is already allocated by container other$/,
      )
    } finally {
      foreign.kill('SIGKILL')
    }
  })

  it('refuses what cannot be', async () => {
    await web({ '80/tcp': [at(8080)] })
    for (const [status, Berth, words] of [
      [404, { PublishRemove: { '81': [] } }, /port 81\/tcp is not published/],
      [409, { PublishAdd: { '80': [at(8080)] } }, /port 80\/tcp is published at 8080 already/],
      [400, { PublishAdd: { nonsense: [] } }, /invalid port specification/],
    ] as const) {
      assert.match(await api.refused(status, 'POST', '/containers/web/update', { Berth }), words)
    }
    const host = await api.started({ Cmd: 'sleep 100', HostConfig: { NetworkMode: 'host' } })
    const Berth = { PublishAdd: { '80': [at(1)] } }
    assert.match(
      await api.refused(400, 'POST', `/containers/${host}/update`, { Berth }),
      /no network of its own \(host\)/,
    )
  })
})

/** A process of the host that listens. */
async function listener(port: number): Promise<ChildProcess> {
  const script = `require('net').createServer().listen(${port}, '0.0.0.0', () => console.log('ready'))`
  const netns = `--net=/run/netns/${api.daemon.marks.netns}`
  const child = spawn('nsenter', [netns, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  return child
}

/** Asks a published port again and again, and remembers what went wrong. */
class Load implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #output: Promise<string>

  private constructor(process: ChildProcess) {
    this.#process = process
    this.#output = (async () => {
      let text = ''
      for await (const chunk of process.stdout ?? []) text += String(chunk)
      return text
    })()
  }

  static async start(port: number): Promise<Load> {
    const script = `while :; do curl -s -m 1 http://127.0.0.1:${port}/ || echo "failed $?"; done`
    const netns = `--net=/run/netns/${api.daemon.marks.netns}`
    const child = spawn('nsenter', [netns, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'readable')
    return new Load(child)
  }

  /** Answers that were not as they should be. */
  async stop(): Promise<string[]> {
    this.#process.kill('SIGKILL')
    const lines = (await this.#output).split('\n').filter((line) => line !== '')
    assert.ok(lines.length > 0)
    return lines.filter((line) => line !== 'two')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#output
  }
}
