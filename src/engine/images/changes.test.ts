import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import type { RunConfig } from '#oci/image-spec.ts'
import { applyChanges } from './changes.ts'

const config: RunConfig = { Env: ['PATH=/bin', 'A=1'], Cmd: ['old'], WorkingDir: '/srv' }

describe('applyChanges()', () => {
  const cases: readonly (readonly [change: string, expected: RunConfig])[] = [
    ['CMD ["a", "b c"]', { Cmd: ['a', 'b c'] }],
    ['cmd echo "$HOME"', { Cmd: ['/bin/sh', '-c', 'echo "$HOME"'] }],
    ['CMD', { Cmd: null }],
    ['CMD [not json', { Cmd: ['/bin/sh', '-c', '[not json'] }],
    ['ENTRYPOINT ["/e"]', { Entrypoint: ['/e'], Cmd: null }],
    ['ENV B=2', { Env: ['PATH=/bin', 'A=1', 'B=2'] }],
    ['ENV A=2 B="x y" C=\'$A\'', { Env: ['PATH=/bin', 'A=2', 'B=x y', 'C=$A'] }],
    ['ENV PATH=$PATH:/x', { Env: ['PATH=/bin:/x', 'A=1'] }],
    ['ENV PATH=${NOPE:-/d}:${A:+set}', { Env: ['PATH=/d:set', 'A=1'] }],
    ['ENV B some words', { Env: ['PATH=/bin', 'A=1', 'B=some words'] }],
    ['ENV B=a\\ b', { Env: ['PATH=/bin', 'A=1', 'B=a b'] }],
    [
      'EXPOSE 80 53/UDP 8000-8002',
      { ExposedPorts: keys('80/tcp', '53/udp', '8000/tcp', '8001/tcp', '8002/tcp') },
    ],
    ['LABEL a=1 "b c"="d e"', { Labels: { a: '1', 'b c': 'd e' } }],
    ['VOLUME /a /b', { Volumes: keys('/a', '/b') }],
    ['VOLUME ["/a", "/b c"]', { Volumes: keys('/a', '/b c') }],
    ['USER 1000:1000', { User: '1000:1000' }],
    ['WORKDIR sub/../dir', { WorkingDir: '/srv/dir' }],
    ['WORKDIR /abs/', { WorkingDir: '/abs' }],
    ['STOPSIGNAL SIGQUIT', { StopSignal: 'SIGQUIT' }],
    ['STOPSIGNAL 9', { StopSignal: '9' }],
    ['ONBUILD RUN make', { OnBuild: ['RUN make'] }],
    ['HEALTHCHECK NONE', { Healthcheck: { Test: ['NONE'] } }],
    ['HEALTHCHECK CMD curl -f x', { Healthcheck: { Test: ['CMD-SHELL', 'curl -f x'] } }],
    [
      'HEALTHCHECK --interval=1m30s --timeout=5s --start-period=0 --retries=3 CMD ["x"]',
      { Healthcheck: { Test: ['CMD', 'x'], Interval: 90e9, Timeout: 5e9, StartPeriod: 0, Retries: 3 } },
    ],
    ['# a comment\nUSER a', { User: 'a' }],
    ['ENV B=1 \\\n  C=2', { Env: ['PATH=/bin', 'A=1', 'B=1', 'C=2'] }],
  ]
  for (const [change, expected] of cases) {
    it(`applies ${JSON.stringify(change)}`, () => {
      assert.deepEqual(applyChanges(config, [change]), { ...config, ...expected })
    })
  }

  it('leaves a command alone that came before the entrypoint', () => {
    const changed = applyChanges(config, ['CMD ["c"]', 'ENTRYPOINT ["e"]'])
    assert.deepEqual([changed.Entrypoint, changed.Cmd], [['e'], ['c']])
  })

  it('sees variables of earlier changes', () => {
    assert.equal(applyChanges(config, ['ENV B=b', 'WORKDIR /$B']).WorkingDir, '/b')
  })

  const refused: readonly (readonly [string, RegExp])[] = [
    ['RUN make', /RUN is not a valid change command/],
    ['__proto__ x', /not a valid change command/],
    ['ENV', /ENV requires at least one argument/],
    ['ENV A', /ENV must have two arguments/],
    ['ENV A=1 B', /can't find = in "B"/],
    ['ENV =1', /names can not be blank/],
    ['ENV A="x', /double-quote/],
    ['ENV A=${B', /missing "}"/],
    ['EXPOSE http', /Invalid containerPort: http/],
    ['EXPOSE 70000', /Invalid containerPort/],
    ['EXPOSE 9-8', /Invalid containerPort/],
    ['STOPSIGNAL 99', /invalid signal: 99/],
    ['ONBUILD FROM x', /FROM isn't allowed as an ONBUILD trigger/],
    ['ONBUILD ONBUILD RUN x', /Chaining ONBUILD/],
    ['HEALTHCHECK', /requires at least one argument/],
    ['HEALTHCHECK FOO', /Unknown type "FOO" in HEALTHCHECK/],
    ['HEALTHCHECK --x=1 CMD a', /Unknown flag: x/],
    ['HEALTHCHECK --interval=soon CMD a', /invalid duration "soon"/],
    ['HEALTHCHECK --interval=1us CMD a', /cannot be less than 1ms/],
    ['HEALTHCHECK NONE x', /takes no arguments/],
  ]
  for (const [change, message] of refused) {
    it(`refuses ${JSON.stringify(change)}`, () => {
      assert.throws(
        () => applyChanges(config, [change]),
        (error) => isKind(error, 'invalid_argument') && message.test(String(error)),
      )
    })
  }

  it('applies any text or fails with invalid_argument', () => {
    const word = fc.constantFrom(
      'CMD',
      'ENV',
      'LABEL',
      'EXPOSE',
      'HEALTHCHECK',
      '--interval=1s',
      '"',
      "'",
      '$A',
      '${',
      '}',
      '=',
      'a',
      '[',
      '\\',
      ' ',
      '\n',
      '80',
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), (words) => {
        try {
          applyChanges(config, [words.join(' ')])
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'), String(error))
        }
      }),
      { numRuns: 1000 },
    )
  })
})

function keys(...names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]))
}
