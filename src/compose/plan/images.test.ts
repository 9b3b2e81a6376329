import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { projectOf } from '../load/memory.fixture.ts'
import { type ImageWishes, planImages } from './images.ts'
import { planText } from './print.ts'

const DAY = 86_400_000
const wishes: ImageWishes = { build: 'missing', now: 10 * DAY }

function planned(
  text: string,
  here: Readonly<Record<string, number>> = {},
  more: Partial<ImageWishes> = {},
): string {
  const images = new Map(Object.entries(here).map(([name, taggedAt]) => [name, { id: name, taggedAt }]))
  return planText(planImages(projectOf(`name: p\nservices:\n${text}`), { images }, { ...wishes, ...more }))
}

describe('planImages()', () => {
  it('fetches and builds what is missing, each image once', () => {
    const text =
      '  a: {image: x}\n  b: {image: x}\n  c: {build: .}\n  d: {image: made, build: .}\n  e: {image: made}\n'
    assert.equal(
      planned(text),
      '#1 pull image x: it is not here\n#2 build image p-c: it is not here\n#3 build image made: it is not here\n',
    )
    assert.equal(planned(text, { x: 0, 'p-c': 0, made: 0 }), '')
  })

  it('follows the policy of a service, unless another one is asked for', () => {
    const text =
      '  a: {image: a, pull_policy: always}\n  b: {image: b, pull_policy: weekly}\n  c: {image: c, pull_policy: every_2d}\n'
    const here = { a: 0, b: 9 * DAY, c: 7 * DAY }
    assert.equal(
      planned(text, here),
      '#1 pull image a: its pull policy is always\n#2 pull image c: its pull policy is every_2d\n',
    )
    assert.equal(planned(text, here, { pull: 'missing' }), '')
    assert.throws(
      () => planned('  a: {image: a, pull_policy: never}\n'),
      /image a is not here, and its pull policy is never/,
    )
  })

  it('builds again when asked to, and what others are built from first', () => {
    const text =
      '  base: {build: ./base}\n  app: {build: {context: ., additional_contexts: {b: "service:base"}}}\n'
    const here = { 'p-base': 0, 'p-app': 0 }
    assert.equal(
      planned(text, here, { build: 'always' }),
      '#1 build image p-app: a build is asked for [after #2]\n#2 build image p-base: a build is asked for\n',
    )
    assert.throws(() => planned(text, {}, { build: 'never' }), /--no-build keeps it from being built/)
  })
})
