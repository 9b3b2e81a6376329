import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLogger } from '#base/logger.ts'
import { PageRows } from '../pages-api/page-rows.ts'
import { type Catalogue, openCatalogue } from '../storage/catalogue.ts'
import { fakeManifest } from '../storage/fake-manifest.ts'
import { searchRepositories } from './search.ts'

function withRepositories(...names: readonly string[]): Catalogue {
  const catalogue = openCatalogue(':memory:', { logger: silentLogger })
  for (const name of names) {
    catalogue.repositories.pushed(name, 1)
    catalogue.manifests.put(fakeManifest({ repository: name, digest: `sha256:${'a'.repeat(64)}`, pushed: 1 }))
  }
  return catalogue
}

const found = (catalogue: Catalogue, query: string): string[] =>
  searchRepositories(catalogue.db, query).map(({ name }) => name)

describe('searchRepositories()', () => {
  it('ranks the name, then its beginning, official, stars', async () => {
    await using catalogue = withRepositories(
      'x/nginx-old',
      'nginx',
      'nginx-b',
      'nginx-a',
      'x/nginx',
      'nginx-c',
    )
    const pages = new PageRows(catalogue.db)
    pages.star('nginx-b', 'ann', 1)
    pages.setOfficial('nginx-c', true)
    assert.deepEqual(found(catalogue, 'nginx'), [
      'nginx',
      'x/nginx',
      'nginx-c',
      'nginx-b',
      'nginx-a',
      'x/nginx-old',
    ])
  })

  it('finds short words, signs that LIKE would read, and words of descriptions in any case', async () => {
    await using catalogue = withRepositories('a_b', 'axb', 'go')
    new PageRows(catalogue.db).describe('go', { description: 'The Gopher’s 50% Tool' })
    assert.deepEqual(found(catalogue, 'a_b'), ['a_b'])
    assert.deepEqual(found(catalogue, 'go'), ['go'])
    assert.deepEqual(found(catalogue, 'TOOL 50%'), ['go'])
    assert.deepEqual(found(catalogue, '" OR 1'), [])
    assert.deepEqual(found(catalogue, ''), ['a_b', 'axb', 'go'])
  })

  it('follows changes and removals', async () => {
    await using catalogue = withRepositories('one', 'two')
    const pages = new PageRows(catalogue.db)
    pages.describe('one', { description: 'before' })
    pages.describe('one', { description: 'after' })
    assert.deepEqual(found(catalogue, 'before'), [])
    assert.deepEqual(found(catalogue, 'after'), ['one'])
    catalogue.repositories.remove('one')
    assert.deepEqual(found(catalogue, 'after'), [])
    assert.deepEqual(found(catalogue, 'o'), ['two'])
  })
})
