import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Digest } from '#base/digest.ts'
import { EngineError } from '#base/errors.ts'
import type { BuildMessage } from '#engine/builds/service.ts'
import { fakeImageId, fakeMessages } from '#test/support/fake-builds.ts'
import { classicFailure, classicOutput } from './classic-build-output.ts'

const idOf = (digit: string): Digest => `sha256:${digit.repeat(64)}`
const STARTED = '2026-01-02T03:04:05.000Z'

function begins(digit: string, name: string, more: object = {}): BuildMessage {
  return { type: 'vertex', id: idOf(digit), name, inputs: [], started: STARTED, ...more }
}

function ends(digit: string, name: string, more: object = {}): BuildMessage {
  return begins(digit, name, { completed: STARTED, ...more })
}

function says(digit: string, text: string | Uint8Array): BuildMessage {
  return { type: 'log', vertex: idOf(digit), stream: 1, data: Buffer.from(text), at: STARTED }
}

const result: BuildMessage = {
  type: 'result',
  id: 'b',
  imageId: fakeImageId,
  digest: undefined,
  names: ['demo:latest', 'team/demo:2'],
  artifacts: [],
  metadata: {},
}

async function* stream(messages: Iterable<BuildMessage>): AsyncGenerator<BuildMessage> {
  yield* messages
}

async function told(
  messages: Iterable<BuildMessage>,
  options: { readonly quiet?: boolean; readonly version2?: boolean } = {},
): Promise<object[]> {
  return Array.fromAsync(classicOutput(stream(messages), { quiet: false, version2: false, ...options }))
}

/** The text of all `stream` lines. */
async function text(messages: Iterable<BuildMessage>): Promise<string> {
  return (await told(messages)).map((line) => ('stream' in line ? String(line.stream) : '')).join('')
}

describe('classicOutput()', () => {
  it('numbers all instructions, and says what was cached, run, built and tagged', async () => {
    const lines = await text([...fakeMessages(), result])
    assert.equal(
      lines,
      [
        'Step 1/4 : FROM busybox',
        ' ---> a1a1a1a1a1a1',
        'Step 2/4 : RUN make',
        ' ---> Running in b2b2b2b2b2b2',
        'made',
        ' ---> Removed intermediate container b2b2b2b2b2b2',
        ' ---> b2b2b2b2b2b2',
        'Step 3/4 : COPY . /app',
        ' ---> c3c3c3c3c3c3',
        'Step 4/4 : CMD ["/app"]',
        ' ---> 5e5e5e5e5e5e',
        'Successfully built 5e5e5e5e5e5e',
        'Successfully tagged demo:latest',
        'Successfully tagged team/demo:2',
        '',
      ].join('\n'),
    )
  })

  it('gives the id of the image as aux before it says so, and with q only the id', async () => {
    const lines = await told([...fakeMessages(), result])
    const at = lines.findIndex((line) => 'aux' in line)
    assert.deepEqual(lines[at], { aux: { ID: fakeImageId } })
    assert.deepEqual(lines[at + 1], { stream: `Successfully built ${fakeImageId.slice(7, 19)}\n` })
    assert.deepEqual(await told([...fakeMessages(), result], { quiet: true }), [
      { aux: { ID: fakeImageId } },
      { stream: `${fakeImageId}\n` },
    ])
    const named = await told([result], { quiet: true, version2: true })
    assert.deepEqual(named[0], { id: 'moby.image.id', aux: { ID: fakeImageId } })
  })

  it('tells steps of parallel stages one after the other, in the order of the file', async () => {
    const lines = await text([
      {
        type: 'instructions',
        instructions: [
          { text: 'RUN a', step: '[a 1/1] RUN a' },
          { text: 'RUN b', step: '[b 1/1] RUN b' },
        ],
      },
      begins('b', '[b 1/1] RUN b'),
      begins('a', '[a 1/1] RUN a'),
      says('b', 'from b\n'),
      says('a', 'from a\n'),
      ends('b', '[b 1/1] RUN b'),
      says('a', 'more of a\n'),
      ends('a', '[a 1/1] RUN a'),
      result,
    ])
    assert.match(lines, /^Step 1\/2 : RUN a\n.*from a\nmore of a\n.*Step 2\/2 : RUN b\n.*from b\n/s)
  })

  it('waits for nothing that is never heard of: what a later step stands on was cached', async () => {
    const lines = await text([
      {
        type: 'instructions',
        instructions: [
          { text: 'RUN a', step: '[x 1/3] RUN a' },
          { text: 'RUN b', step: '[x 2/3] RUN b' },
          { text: 'RUN c', step: '[x 3/3] RUN c' },
        ],
      },
      begins('c', '[x 3/3] RUN c'),
      says('c', 'c speaks\n'),
    ])
    assert.match(
      lines,
      /RUN a\n ---> Using cache\nStep 2\/3 : RUN b\n ---> Using cache\nStep 3\/3.*c speaks\n$/s,
    )
  })

  it('says what was never heard of as cached at the end', async () => {
    const lines = await text([
      { type: 'instructions', instructions: [{ text: 'RUN a', step: '[1/1] RUN a' }, { text: 'CMD b' }] },
      result,
    ])
    assert.match(
      lines,
      /^Step 1\/2 : RUN a\n ---> Using cache\nStep 2\/2 : CMD b\n ---> 5e5e5e5e5e5e\nSuccess/,
    )
  })

  it('does without a list of instructions: numbers are those of the names', async () => {
    const name = '[build  2/11] RUN make'
    const lines = await text([
      begins('9', '[internal] load build definition from Dockerfile'),
      begins('a', name),
      ends('a', name, { cached: true }),
      result,
    ])
    assert.match(lines, /^Step 2\/11 : RUN make\n ---> Using cache\n ---> 5e5e5e5e5e5e\nSuccessfully built/)
  })

  it('keeps characters whole that come in two pieces', async () => {
    const bytes = Buffer.from('é\n')
    const name = '[1/1] RUN x'
    const lines = await text([
      begins('a', name),
      says('a', bytes.subarray(0, 1)),
      says('a', bytes.subarray(1)),
      ends('a', name),
    ])
    assert.match(lines, /\né\n/)
  })

  it('keeps the end of what a step says without end while it waits for its turn', async () => {
    const chunk = `${'x'.repeat(99)}\n`.repeat(10_000)
    const lines = await text([
      {
        type: 'instructions',
        instructions: [
          { text: 'RUN a', step: '[a 1/1] RUN a' },
          { text: 'RUN b', step: '[b 1/1] RUN b' },
        ],
      },
      begins('b', '[b 1/1] RUN b'),
      ...Array.from({ length: 10 }, () => says('b', chunk)),
      says('b', 'last words\n'),
      ends('a', '[a 1/1] RUN a'),
      ends('b', '[b 1/1] RUN b'),
    ])
    assert.ok(lines.length < 3 << 20)
    assert.match(lines, /\[earlier output is left out\]\n/)
    assert.match(lines, /last words\n ---> Removed/)
  })

  it('tells warnings before the end, and counts as progress', async () => {
    const range = { start: { line: 3, column: 1 }, end: { line: 3, column: 4 } }
    const rule = 'JSONArgsRecommended'
    const lines = await told([
      {
        type: 'warning',
        vertex: idOf('9'),
        warning: { rule, message: 'JSON please', description: '', range, excerpt: '' },
      },
      { type: 'status', vertex: idOf('9'), id: 'layer', current: 5, total: 10 },
      { type: 'status', vertex: idOf('9'), id: 'uncounted', current: 5 },
      result,
    ])
    assert.deepEqual(lines.slice(0, 2), [
      { status: 'Transferring', id: 'layer', progressDetail: { current: 5, total: 10 } },
      { stream: '[Warning] JSON please (line 3)\n' },
    ])
  })

  it('says nothing of an image when none was made', async () => {
    assert.equal(await text([{ ...result, imageId: undefined }]), '')
  })
})

describe('classicFailure()', () => {
  const failed = (message: string): object =>
    classicFailure(new EngineError('invalid_argument', message, { code: 'BUILD_RUN_FAILED' }))

  it('words the failure of a RUN as clients look for it, wherever it stands', () => {
    const words = `The command '/bin/sh -c echo "a b"; false' returned a non-zero code: 1`
    assert.deepEqual(
      failed(
        '[2/2] RUN x (line 2): process "/bin/sh -c echo \\"a b\\"; false" did not complete successfully: exit code: 1\n  | a b',
      ),
      { errorDetail: { code: 1, message: words }, error: words },
    )
  })

  it('says a killed process by its code', () => {
    assert.deepEqual(
      failed('process "a" did not complete successfully: cannot allocate memory (exit code: 137)'),
      {
        errorDetail: { code: 137, message: "The command 'a' returned a non-zero code: 137" },
        error: "The command 'a' returned a non-zero code: 137",
      },
    )
  })

  it('leaves other failures in their words', () => {
    assert.deepEqual(classicFailure(new Error('disk full')), {
      errorDetail: { message: 'disk full' },
      error: 'disk full',
    })
  })
})
