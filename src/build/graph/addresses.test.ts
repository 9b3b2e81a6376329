import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SyntaxFailure } from '../dockerfile/failure.ts'
import { downloadName } from './download-name.ts'
import { type GitAddress, parseGitAddress } from './git-address.ts'

const PLAIN = {
  ref: undefined,
  directory: undefined,
  checksum: undefined,
  keepGitDirectory: undefined,
  submodules: undefined,
}

describe('parseGitAddress()', () => {
  it('reads addresses of repositories', () => {
    const cases: readonly (readonly [string, Partial<GitAddress>])[] = [
      ['https://h/a/b.git', {}],
      ['http://h/a.git/', {}],
      ['git://h/a', {}],
      ['ssh://git@h:22/a/b', {}],
      ['git@h:a/b.git', {}],
      ['https://h/a.git#main', { ref: 'main' }],
      ['https://h/a.git#:docs', { directory: 'docs' }],
      ['git@h:a.git#v1:./x//y/', { ref: 'v1', directory: 'x/y' }],
      ['https://h/a.git#main:/', { ref: 'main' }],
      ['https://h/a.git?tag=v1&subdir=/d', { ref: 'refs/tags/v1', directory: 'd' }],
      [
        'https://h/a.git?branch=b&commit=abcdef0&keep-git-dir&submodules=0',
        {
          ref: 'refs/heads/b',
          checksum: 'abcdef0',
          keepGitDirectory: true,
          submodules: false,
        },
      ],
    ]
    for (const [text, parts] of cases) {
      const remote = text.replace(/[?#].*/, '')
      assert.deepEqual(parseGitAddress(text), { ...PLAIN, remote, ...parts }, text)
    }
  })

  it('leaves other addresses and paths alone', () => {
    for (const text of [
      'https://h/a.tar',
      'https://h/a.git.txt',
      'a.git',
      'dir/a@b',
      'github.com/a/b',
      './x',
      'a@b://c',
    ])
      assert.equal(parseGitAddress(text), undefined, text)
  })

  it('refuses what could be an option, lead outside, or mean two things', () => {
    const bad = [
      'https://h/a.git#--upload-pack=x',
      'https://h/a.git#main:../x',
      'https://h/a.git#main:x/../../y',
      'https://h/a.git?ref=a#b',
      'https://h/a.git?tag=a&branch=b',
      'https://h/a.git?colour=red',
      'https://h/a.git?commit=main',
      'https://h/a.git?submodules=maybe',
    ]
    for (const text of bad) assert.throws(() => parseGitAddress(text), SyntaxFailure, text)
  })
})

describe('downloadName()', () => {
  it('is the last part of the path', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['https://h/a/b.txt?x=/y#/z', 'b.txt'],
      ['https://h/a%20b', 'a b'],
      ['https://h/a/', 'a'],
      ['https://h', '__unnamed__'],
      ['https://h/%2e%2e%2f..', '__unnamed__'],
      ['https://h/a%2fb', 'b'],
      ['https://h/%zz', '%zz'],
      ['https://[', '__unnamed__'],
    ]
    for (const [url, name] of cases) assert.equal(downloadName(url), name, url)
  })
})
