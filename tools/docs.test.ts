/** The documents say what is true: files that they name exist, and lists that they hold are complete. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { entries } from '#cli/registry.ts'
import { errorCodes } from './error-codes.ts'
import { layers } from './layers.ts'

const REPOSITORY = join(import.meta.dirname, '..')
const documents = globSync(['*.md', 'docs/**/*.md', 'native/*.md', 'examples/**/*.md'], { cwd: REPOSITORY })

function read(path: string): string {
  return readFileSync(join(REPOSITORY, path), 'utf8')
}

function matches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, group = '']) => group)
}

describe('docs/errors.md', () => {
  it('has a row for every error code, and no other', () => {
    assert.deepEqual(matches(read('docs/errors.md'), /^\| `([A-Z][A-Z0-9_]+)` \|/gm).toSorted(), errorCodes())
  })
})

describe('ARCHITECTURE.md', () => {
  const text = read('ARCHITECTURE.md')

  it('has the table of tools/layers.ts', () => {
    const rows = [...text.matchAll(/^\| `([a-z]+)` \| ([^|]+) \| /gm)].map(([, layer, imports]) => [
      layer,
      imports,
    ])
    const table = Object.entries(layers).map(([layer, imports]) => [layer, importText(imports)])
    assert.deepEqual(rows, table)
  })
})

describe('every document', () => {
  it('names only files that exist', () => {
    const missing = documents.flatMap((document) =>
      matches(read(document), /`((?:src|native|test|tools|docs|bin|examples)\/[\w./-]+\.\w+)`/g)
        .filter((path) => !existsSync(join(REPOSITORY, path)))
        .map((path) => `${document}: ${path}`),
    )
    assert.deepEqual(missing, [])
  })

  it('links only to files that exist', () => {
    const broken = documents.flatMap((document) =>
      matches(read(document), /\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)
        .filter((target) => !existsSync(join(REPOSITORY, dirname(document), target)))
        .map((target) => `${document}: ${target}`),
    )
    assert.deepEqual(broken, [])
  })

  it('uses only commands that the command line has', () => {
    const known = new Set(
      entries.flatMap(({ names }) => names.flatMap((name) => [name, name.split(' ')[0] ?? ''])),
    )
    const unknown = documents.flatMap((document) =>
      matches(read(document), /(?:^\$ |^ {4}|`)berth (?:-\S+ )*([a-z]+)/gm)
        .filter((name) => !known.has(name))
        .map((name) => `${document}: berth ${name}`),
    )
    assert.deepEqual(unknown, [])
  })

  it('names only targets of make that the Makefile has', () => {
    const targets = new Set(matches(read('Makefile'), /^([a-z]+):/gm))
    const unknown = documents.flatMap((document) =>
      matches(read(document), /(?:^\$ |^ {4}|`)make ([a-z]+)/gm)
        .filter((target) => !targets.has(target))
        .map((target) => `${document}: make ${target}`),
    )
    assert.deepEqual(unknown, [])
  })
})

function importText(imports: readonly string[]): string {
  if (imports.includes('*')) return 'everything'
  return imports.length === 0 ? '–' : imports.map((name) => `\`${name}\``).join(', ')
}
