import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ContainerCreateBody } from '#client/containers.ts'
import { parseFlags } from '../flags.ts'
import { createBody } from './body.ts'
import { createFlags } from './flags.ts'

function body(line: string): ContainerCreateBody {
  const { flags, args, changed } = parseFlags(createFlags, line.split(' '), { interspersed: false })
  return createBody(flags, args, { cwd: '/w', env: { HOME: '/h' }, changed })
}

const plain = {
  Image: 'demo',
  AttachStdout: true,
  AttachStderr: true,
  HostConfig: { NetworkMode: 'default' },
}

describe('createBody()', () => {
  it('says nothing that was not asked for', () => {
    assert.deepEqual(body('demo'), plain)
    assert.deepEqual(body('demo sh -c x'), { ...plain, Cmd: ['sh', '-c', 'x'] })
  })

  it('attaches what is wanted', () => {
    assert.deepEqual(body('-it demo'), {
      ...plain,
      AttachStdin: true,
      OpenStdin: true,
      StdinOnce: true,
      Tty: true,
    })
    assert.deepEqual(body('-i -a stdin -a STDOUT demo'), {
      Image: 'demo',
      AttachStdin: true,
      AttachStdout: true,
      OpenStdin: true,
      StdinOnce: true,
      HostConfig: plain.HostConfig,
    })
    const open = body('-i -a stdout demo')
    assert.deepEqual([open.AttachStdin, open.OpenStdin, open.StdinOnce], [undefined, true, undefined])
  })

  it('clears the entrypoint with an empty text', () => {
    assert.deepEqual(body('--entrypoint= demo').Entrypoint, [''])
    assert.deepEqual(body('--entrypoint /bin/x demo a').Entrypoint, ['/bin/x'])
  })

  it('maps resources', () => {
    assert.deepEqual(
      body('-m 64m --memory-swap -1 --cpus 1.5 --pids-limit 5 --ulimit nofile=1:2 --shm-size 1g demo')
        .HostConfig,
      {
        NetworkMode: 'default',
        Memory: 67108864,
        MemorySwap: -1,
        NanoCpus: 1_500_000_000,
        PidsLimit: 5,
        Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }],
        ShmSize: 1073741824,
      },
    )
  })

  it('turns systempaths=unconfined into empty lists', () => {
    const { HostConfig } = body('--security-opt systempaths=unconfined --security-opt no-new-privileges demo')
    assert.deepEqual(HostConfig, {
      NetworkMode: 'default',
      SecurityOpt: ['no-new-privileges'],
      MaskedPaths: [],
      ReadonlyPaths: [],
    })
  })

  it('gives the flags about addresses and aliases to the first network', () => {
    const { HostConfig, NetworkingConfig } = body(
      '--network app --network name=b,alias=x --network-alias w --ip 10.0.0.2 demo',
    )
    assert.equal(HostConfig?.NetworkMode, 'app')
    assert.deepEqual(NetworkingConfig, {
      EndpointsConfig: {
        app: { IPAMConfig: { IPv4Address: '10.0.0.2' }, Aliases: ['w'] },
        b: { Aliases: ['x'] },
      },
    })
    assert.equal(body('--network host demo').NetworkingConfig, undefined)
  })

  it('refuses what contradicts itself', () => {
    const errors: Record<string, RegExp> = {
      '--rm --restart always demo': /cannot specify both --restart and --rm/,
      '--no-healthcheck --health-cmd x demo': /--no-healthcheck conflicts with --health-\* options/,
      '--network app --network host demo': /cannot attach both user-defined and non-user-defined/,
      '--network app --network app demo': /network "app" is specified multiple times/,
      '--network-alias x demo': /only supported for user-defined networks/,
      '--pid x demo': /--pid: invalid PID mode/,
      '--log-driver none --log-opt a=b demo': /invalid logging opts for driver none/,
      '--pull foo demo': /must be one of "always", "missing" or "never"/,
      '--health-interval -5s demo': /--health-interval cannot be negative/,
      '--restart on-failure:x demo': /maximum retry count must be an integer/,
    }
    for (const [line, message] of Object.entries(errors)) assert.throws(() => body(line), message, line)
  })
})
