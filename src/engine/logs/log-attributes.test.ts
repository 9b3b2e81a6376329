import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type LoggedContainer, logAttributes, logTag } from './log-attributes.ts'

const container: LoggedContainer = {
  id: '0123456789abcdef'.repeat(4),
  name: 'web',
  image: 'nginx:1',
  imageId: `sha256:${'f'.repeat(64)}`,
  labels: { app: 'shop', 'com.example.team': 'a', other: 'x' },
  environment: ['REGION=eu=west', 'SECRET=1', 'EMPTY=', 'none'],
}

describe('logAttributes()', () => {
  it('has the labels and variables that were named or match', () => {
    assert.deepEqual(logAttributes(container, {}), {})
    assert.deepEqual(logAttributes(container, { labels: 'app, missing', env: 'REGION,EMPTY,none' }), {
      app: 'shop',
      REGION: 'eu=west',
      EMPTY: '',
    })
    assert.deepEqual(logAttributes(container, { 'labels-regex': '^com\\.', 'env-regex': '^S' }), {
      'com.example.team': 'a',
      SECRET: '1',
    })
  })
})

describe('logTag()', () => {
  it('fills in what it knows, and says what it does not', () => {
    const template = '{{.Name}}/{{ .ID }}|{{.ImageName}}|{{.ImageID}}|{{.DaemonName}}'
    assert.equal(logTag(container, template), 'web/0123456789ab|nginx:1|ffffffffffff|docker')
    assert.equal(logTag(container, 'plain'), 'plain')
    assert.throws(() => logTag(container, '{{.Nmae}}'), /there is no \{\{\.Nmae\}\}; a tag may have \.ID/)
    assert.throws(() => logTag(container, '{{constructor}}'), { code: 'LOG_OPTION_INVALID' })
  })
})
