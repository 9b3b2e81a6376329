/** Docker's client and ours, with our registry and with Debian's: what comes back is what was sent, and is said as it is. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { mediaTypes } from '#oci/image-spec.ts'
import { hostPlatform } from '#oci/platform.ts'
import { busyboxTar, member, tarOf } from '#test/support/busybox-image.ts'
import { NODE, type Result, run } from '#test/support/daemon.ts'
import { EngineApi } from '#test/support/engine-api.ts'
import { RegistryContents } from '#test/support/registry-images.ts'
import { missingPeer, type PeerKind, RegistryPeer } from '#test/support/registry-peer.ts'

const absent =
  spawnSync('docker', ['--version']).status !== 0 && "Docker's command line is not on this machine"
const BERTH = join(import.meta.dirname, '../../src/bin/berth.ts')
const PORT = 5000
const HOST = `127.0.0.1:${PORT}`
const OTHER = hostPlatform().architecture === 'arm64' ? 'amd64' : 'arm64'
const DIGEST = /sha256:[0-9a-f]{64}/
/** Each is the command of one layer: over files, directories and links of the ones below. */
const STEPS = [
  'mkdir -p /d/sub /gone/deep /o; for i in 1 2 3; do echo $i > /d/f$i; echo $i > /o/f$i; echo $i > /gone/deep/$i; done; ln -s f1 /d/link; ln /d/f2 /d/hard; chmod 4755 /d/f3; chown 33:33 /d/f1',
  'rm /d/f1 /d/link; rm -r /gone; rm -r /o; mkdir /o; echo new > /o/new; mkfifo /d/pipe; ln -s /nowhere /gone',
  'rm -r /d/sub; echo file > /d/sub; rm /gone; mkdir /gone; echo back > /gone/back; chmod 1777 /o; touch -d 2001-02-03 /d/hard; echo "ü ☃" > "/d/ü ☃"',
  'rm /d/hard; echo longer >> /d/f2; mkdir -p /a/b/c; chmod 700 /a/b',
]

for (const kind of ['berth', 'docker-registry'] as const) {
  const skip = missingPeer(kind)
  const berth = [NODE, '--disable-warning=ExperimentalWarning', BERTH]
  describe(`docker, with ${kind}`, { skip: absent || skip }, () => session('docker', ['docker'], kind))
  describe(`berth, with ${kind}`, { skip }, () => session('berth', berth, kind))
}

function session(name: 'docker' | 'berth', program: readonly string[], kind: PeerKind): void {
  const stack = new AsyncDisposableStack()
  let api: EngineApi
  let config = ''
  before(async () => {
    api = stack.use(await EngineApi.start())
    stack.defer(() => api.daemon.removeAll())
    config = join(api.daemon.root, 'client')
    mkdirSync(config)
    stack.use(await RegistryPeer.start(kind, api.daemon, PORT, { accounts: { bob: 's3cret' } }))
  })
  after(() => stack.disposeAsync())

  const client = (line: string | readonly string[], input?: string): Result => {
    const args = typeof line === 'string' ? line.split(' ') : line
    const command = ['env', `DOCKER_CONFIG=${config}`, ...program, '-H', api.daemon.host, ...args]
    return run('nsenter', [`--net=/run/netns/${api.daemon.marks.netns}`, ...command], input)
  }
  const says = (line: string | readonly string[], input?: string): string => {
    const { code, stdout, stderr } = client(line, input)
    assert.equal(code, 0, `${String(line)}: ${stdout}${stderr}`)
    return stdout
  }
  const fails = (line: string, input?: string): string => {
    const { code, stderr } = client(line, input)
    assert.equal(code, 1, `${line}: ${stderr}`)
    return stderr.split('\n\n')[0]!.trim()
  }
  /** What each layer came to, in the order in which layers were first named. */
  const states = (output: string): string[] => {
    const last = new Map(
      [...output.matchAll(/^([0-9a-f]{12}): (.+)$/gm)].map(([, id, state]) => [id!, state!]),
    )
    return [...last.values()]
  }
  const digestIn = (output: string): string => DIGEST.exec(output)?.[0] ?? ''
  /** Another layer on an image, made by a command. */
  const layered = (from: string, to: string, command: string): void => {
    const id = says(['run', '-d', '--network', 'none', from, 'sh', '-c', command]).trim()
    assert.equal(says(`wait ${id}`), '0\n')
    says(`commit ${id} ${to}`)
    says(`rm ${id}`)
  }
  /** Everything that can be seen in an image: modes, owners, times, links, and what files hold. */
  const tree = (image: string): string => {
    const archive = join(api.daemon.root, 'exported.tar')
    const id = says(`create --network none ${image} true`).trim()
    says(`export -o ${archive} ${id}`)
    says(`rm ${id}`)
    const { stdout } = run('tar', ['--numeric-owner', '--full-time', '-tvf', archive])
    const sums = says([
      'run',
      '--rm',
      '--network',
      'none',
      image,
      'sh',
      '-c',
      'find / -xdev -type f -exec md5sum {} + | sort -k 2',
    ])
    // Written for every container anew.
    const own = /etc\/(hosts|hostname|resolv\.conf)$|\.dockerenv$| dev\/| (etc|dev|proc|sys|\.)\/$/
    // Columns are as wide as what tar has listed so far.
    const listed = stdout.replace(/ +/g, ' ').split('\n')
    return [...listed.toSorted(), ...sums.split('\n')].filter((line) => !own.test(line)).join('\n')
  }

  it('logs in, and may do nothing before', () => {
    says(`tag busybox ${HOST}/team/base:1`)
    assert.match(fails(`push ${HOST}/team/base:1`), /no basic auth credentials|unauthorized|denied/)
    assert.match(fails(`pull ${HOST}/team/base:1`), /no basic auth credentials|unauthorized|denied/)
    assert.match(fails(`login -u bob --password-stdin ${HOST}`, 'wrong'), /unauthorized/)
    assert.match(fails(`login -u eve --password-stdin ${HOST}`, 's3cret'), /unauthorized/)
    assert.match(says(`login -u bob --password-stdin ${HOST}`, 's3cret\n'), /Login Succeeded/)
  })

  it('pushes, finds what is there, and mounts', () => {
    layered('busybox', `${HOST}/team/app:1`, 'echo app > /app')
    const first = says(`push ${HOST}/team/base:1`)
    assert.match(first, new RegExp(`^The push refers to repository \\[${HOST}/team/base\\]\n`))
    assert.match(first, /\n1: digest: sha256:[0-9a-f]{64} size: \d+\n$/)
    assert.deepEqual(states(first), ['Pushed'])
    assert.deepEqual(states(says(`push ${HOST}/team/base:1`)), ['Layer already exists'])
    assert.deepEqual(states(says(`push ${HOST}/team/app:1`)).toSorted(), ['Mounted from team/base', 'Pushed'])
    assert.equal(digestIn(says(`push ${HOST}/team/base:1`)), digestIn(first))
    assert.match(
      fails(`push ${HOST}/team/none`),
      /An image does not exist locally with the tag: 127\.0\.0\.1:5000\/team\/none/,
    )
    assert.match(
      fails(`push ${HOST}/team/base:none`),
      /tag does not exist: 127\.0\.0\.1:5000\/team\/base:none/,
    )
  })

  it('pulls only what is not here', () => {
    says(`rmi ${HOST}/team/app:1`)
    const pulled = says(`pull ${HOST}/team/app:1`)
    assert.deepEqual(states(pulled), ['Already exists', 'Pull complete'])
    assert.match(
      pulled,
      /\nStatus: Downloaded newer image for 127\.0\.0\.1:5000\/team\/app:1\n127\.0\.0\.1:5000\/team\/app:1\n$/,
    )
    assert.match(says(`pull ${HOST}/team/app:1`), /Status: Image is up to date for 127/)
    assert.equal(says(`run --rm --network none ${HOST}/team/app:1 cat /app`), 'app\n')
  })

  it('pulls by digest, and shows it', () => {
    const digest = digestIn(says(`push ${HOST}/team/app:1`))
    says(`rmi ${HOST}/team/app:1`)
    const reference = `${HOST}/team/app@${digest}`
    const pulled = says(`pull ${reference}`)
    assert.match(
      pulled,
      new RegExp(
        `^${reference}: Pulling from team/app\n`.replace(`${HOST}/team/app@`, `(${HOST}/team/app@)?`),
      ),
    )
    assert.match(
      pulled,
      new RegExp(`\nDigest: ${digest}\nStatus: Downloaded newer image for ${reference}\n${reference}\n$`),
    )
    assert.match(
      says('images --digests'),
      new RegExp(`^${HOST}/team/app +<none> +${digest} +[0-9a-f]{12} `, 'm'),
    )
    assert.equal(says(`run --rm --network none ${reference} cat /app`), 'app\n')
    says(`rmi ${reference}`)
    assert.match(
      fails(`pull ${HOST}/team/app@sha256:${'1'.repeat(64)}`),
      /manifest for .*@sha256:1+ not found: manifest unknown: manifest unknown/,
    )
  })

  it('pushes and pulls all tags', () => {
    for (const tag of ['a', 'b', 'c']) {
      says(`tag busybox ${HOST}/team/many:${tag}`)
    }
    const pushed = says(`push --all-tags ${HOST}/team/many`)
    for (const tag of ['a', 'b', 'c']) assert.match(pushed, new RegExp(`^${tag}: digest: sha256:`, 'm'))
    says(`rmi ${HOST}/team/many:a ${HOST}/team/many:b ${HOST}/team/many:c`)
    const pulled = says(`pull --all-tags ${HOST}/team/many`)
    for (const tag of ['a', 'b', 'c'])
      assert.match(pulled, new RegExp(`^${tag}: Pulling from team/many$`, 'm'))
    assert.match(
      pulled,
      /\nStatus: Downloaded newer image for 127\.0\.0\.1:5000\/team\/many\n127\.0\.0\.1:5000\/team\/many\n$/,
    )
    assert.deepEqual(says(`images --format {{.Tag}} ${HOST}/team/many`).trim().split('\n').toSorted(), [
      'a',
      'b',
      'c',
    ])
    assert.equal(says(`pull -q ${HOST}/team/many:a`), `${HOST}/team/many:a\n`)
    says(`rmi ${HOST}/team/many:a ${HOST}/team/many:b ${HOST}/team/many:c`)
  })

  it('brings layers with whiteouts back, file for file', () => {
    let from = 'busybox'
    STEPS.forEach((step, at) => {
      const to = `${HOST}/team/layers:${at}`
      layered(from, to, step)
      from = to
    })
    const before = tree(from)
    assert.match(before, /gone\/back/)
    says(`push ${from}`)
    says(['rmi', ...STEPS.map((_, at) => `${HOST}/team/layers:${at}`)])
    assert.deepEqual(states(says(`pull ${from}`)), ['Already exists', ...STEPS.map(() => 'Pull complete')])
    assert.equal(tree(from), before)
    says(`rmi ${from}`)
  })

  it('pushes an index whole, and pulls of it what is asked for', async () => {
    const image = `${HOST}/team/whole:1`
    const archive = join(api.daemon.root, 'index.tar')
    await writeIndex(archive, image)
    says(`load -i ${archive}`)
    const index = digestIn(says(`push ${image}`))
    says(`rmi ${image}`)
    for (const architecture of [OTHER, hostPlatform().architecture]) {
      const pulled = says(`pull --platform linux/${architecture} ${image}`)
      assert.match(pulled, new RegExp(`Digest: ${index}\n`))
      assert.equal(says(`image inspect --format {{.Architecture}} ${image}`), `${architecture}\n`)
    }
    assert.equal(says(`run --rm --network none ${image}`), `for ${hostPlatform().architecture}\n`)
    assert.match(
      fails(`pull --platform linux/s390x ${image}`),
      /no matching manifest for linux\/s390x in the manifest list entries/,
    )
  })

  it('says what is not there', () => {
    assert.match(
      fails(`pull ${HOST}/team/base:none`),
      /^Error response from daemon: manifest for 127\.0\.0\.1:5000\/team\/base:none not found: manifest unknown: manifest unknown$/,
    )
    assert.match(
      fails(`pull ${HOST}/nobody/nothing`),
      /^Error response from daemon: (manifest for 127\.0\.0\.1:5000\/nobody\/nothing:latest not found: manifest unknown|repository .*not found: name unknown|pull access denied)/,
    )
  })

  it(
    'finds images by name and description, with stars',
    { skip: kind !== 'berth' && 'has no search' },
    () => {
      const change = (method: string, path: string, body = ''): void => {
        const at = `http://${HOST}/api/v1/repositories/${path}`
        const args = ['curl', '-sS', '--fail-with-body', '-u', 'bob:s3cret', '-X', method, '-d', body, at]
        const { code, stderr, stdout } = api.daemon.inside(...args)
        assert.equal(code, 0, stdout + stderr)
      }
      change('PUT', 'team/app/-/star')
      change(
        'PATCH',
        'team/base',
        JSON.stringify({ description: 'Where it all begins, and a good deal more than fits' }),
      )
      const found = says(`search ${HOST}/team`).trimEnd().split('\n')
      assert.match(found[0]!, /^NAME +DESCRIPTION +STARS +OFFICIAL$/)
      assert.match(found[1]!, /^team\/app +1 *$/)
      assert.match(
        says(`search ${HOST}/begins`),
        /\nteam\/base +Where it all begins, and a good deal more th… +0 *\n$/,
      )
      assert.equal(
        says(`search --filter stars=1 --format {{.Name}}:{{.StarCount}} ${HOST}/team`),
        'team/app:1\n',
      )
      assert.match(says(`search ${HOST}/no-such-thing`), /^NAME[^\n]*\n$/)
    },
  )

  it('says where there is no search', { skip: kind === 'berth' && 'has one' }, () => {
    assert.match(fails(`search ${HOST}/team`), /search/)
  })

  it('runs what is not here, and nothing after a logout', () => {
    says(`rmi -f ${HOST}/team/app:1`)
    const { code, stdout, stderr } = client(`run --rm --network none ${HOST}/team/app:1 cat /app`)
    assert.deepEqual([code, stdout], [0, 'app\n'], stderr)
    assert.match(
      stderr,
      /^Unable to find image '127\.0\.0\.1:5000\/team\/app:1' locally\n1: Pulling from team\/app\n/,
    )
    assert.equal(says(`logout ${HOST}`), `Removing login credentials for ${HOST}\n`)
    assert.equal(
      says(`logout ${HOST}`),
      name === 'docker' ? `Removing login credentials for ${HOST}\n` : `Not logged in to ${HOST}\n`,
    )
    assert.match(fails(`push ${HOST}/team/base:1`), /no basic auth credentials|unauthorized|denied/)
  })
}

/** An archive with an index of two images that share a layer. */
async function writeIndex(file: string, name: string): Promise<void> {
  const contents = new RegistryContents()
  const base = await busyboxTar()
  const image = async (architecture: string) =>
    contents.image({
      layers: [base, await tarOf(member({ path: 'for' }, `for ${architecture}\n`))],
      platform: { os: 'linux', architecture },
      config: { Cmd: ['cat', '/for'] },
    })
  const index = contents.index([await image(hostPlatform().architecture), await image(OTHER)])
  const annotations = { 'io.containerd.image.name': name }
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociIndex,
    manifests: [{ ...index, annotations }],
  }
  const blobs = [...contents.blobs, ...[...contents.manifests].map(([at, { bytes }]) => [at, bytes] as const)]
  writeFileSync(
    file,
    await tarOf(
      member({ path: 'oci-layout' }, '{"imageLayoutVersion":"1.0.0"}'),
      member({ path: 'index.json' }, JSON.stringify(document)),
      ...blobs.map(([digest, bytes]) => member({ path: `blobs/${digest.replace(':', '/')}` }, bytes)),
    ),
  )
}
