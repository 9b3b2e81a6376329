import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { planOf } from './plan.fixture.ts'

async function instructions(dockerfile: string): Promise<(readonly [string, string | undefined])[]> {
  const { instructions: all } = await planOf(dockerfile)
  return all.map(({ text, step }) => [text, step])
}

describe('instructions of a plan', () => {
  it('are those of the stages that are needed, in the order of the file, with their steps', async () => {
    const lines = [
      'FROM bb:1 AS unused',
      'RUN nothing',
      'FROM bb:1 AS build',
      'RUN make \\',
      '  all',
      'FROM scratch',
      'ENV A=b',
      'COPY --from=build /x /x',
      'CMD ["/x"]',
    ]
    assert.deepEqual(await instructions(`${lines.join('\n')}\n`), [
      ['FROM bb:1 AS build', '[build 1/2] FROM docker.io/library/bb:1'],
      ['RUN make   all', '[build 2/2] RUN make   all'],
      ['FROM scratch', undefined],
      ['ENV A=b', undefined],
      ['COPY --from=build /x /x', '[stage-2 1/1] COPY --from=build /x /x'],
      ['CMD ["/x"]', undefined],
    ])
  })

  it('have steps that a RUN only mounts, and not the image that a COPY takes from', async () => {
    const found = await instructions(
      'FROM bb:1 AS tools\nRUN a\nFROM bb:1\nRUN --mount=from=tools,target=/t b\nCOPY --from=bb:1 /d /d\n',
    )
    assert.deepEqual(
      found.map(([, step]) => step?.replace(/\].*/s, ']')),
      ['[tools 1/2]', '[tools 2/2]', '[stage-1 1/3]', '[stage-1 2/3]', '[stage-1 3/3]'],
    )
  })
})
