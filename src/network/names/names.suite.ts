import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { newId } from '#base/ids.ts'
import type { NameService, Resolver } from './name-service.ts'

/** A container as far as names go: a network namespace that a process holds. */
export interface NamedContainer {
  readonly pid: number
  /** Addresses of both families as it gets them; undefined when nobody answers, or nobody knows. */
  lookup(id: string, name: string): Promise<readonly string[] | undefined>
  /** The name of an address. */
  reverse(id: string, address: string): Promise<string | undefined>
  /** Ends the process; resolves when names have been closed too. */
  end(id: string): Promise<void>
}

export interface NamesUnderTest extends AsyncDisposable {
  readonly names: NameService
  container(): Promise<NamedContainer>
}

export function resolverOf(
  names: Readonly<Record<string, readonly string[]>>,
  rest: {
    readonly pointers?: Readonly<Record<string, string>>
    readonly upstream?: Resolver['upstream']
  } = {},
): Resolver {
  return {
    names: new Map(Object.entries(names)),
    pointers: new Map(Object.entries(rest.pointers ?? {})),
    upstream: rest.upstream ?? 'none',
  }
}

/** What every `NameService` promises. */
export function namesSuite(title: string, open: () => Promise<NamesUnderTest>): void {
  describe(`${title} as NameService`, () => {
    let world: NamesUnderTest
    before(async () => {
      world = await open()
    })
    after(() => world[Symbol.asyncDispose]())

    const attached = async (resolver: Resolver) => {
      const [id, container] = [newId(), await world.container()]
      await world.names.attach(id, { pid: container.pid }, resolver)
      return { id, container }
    }

    it('answers names in any case, in both families, and addresses', async () => {
      const pointers = { '10.1.0.2': 'web.front', 'fd00:1::2': 'web.front' }
      const resolver = resolverOf({ web: ['10.1.0.2', 'fd00:1::2'], 'web.front': ['10.1.0.2'] }, { pointers })
      const { id, container } = await attached(resolver)
      assert.deepEqual(await container.lookup(id, 'web'), ['10.1.0.2', 'fd00:1::2'])
      assert.deepEqual(await container.lookup(id, 'WEB.Front'), ['10.1.0.2'])
      assert.equal(await container.lookup(id, 'nobody'), undefined)
      assert.equal(await container.reverse(id, '10.1.0.2'), 'web.front')
      assert.equal(await container.reverse(id, 'fd00:1::2'), 'web.front')
      assert.equal(await container.reverse(id, '10.1.0.3'), undefined)
    })

    it('gives each container its own names, and new ones at once', async () => {
      const a = await attached(resolverOf({ db: ['10.1.0.3'] }))
      const b = await attached(resolverOf({ db: ['10.2.0.3'] }))
      assert.deepEqual(await a.container.lookup(a.id, 'db'), ['10.1.0.3'])
      assert.deepEqual(await b.container.lookup(b.id, 'db'), ['10.2.0.3'])
      const both = resolverOf({ db: ['10.1.0.4'], cache: ['10.1.0.5'] })
      await world.names.update(
        new Map([
          [a.id, both],
          [b.id, both],
          [newId(), both],
        ]),
      )
      assert.deepEqual(await a.container.lookup(a.id, 'db'), ['10.1.0.4'])
      assert.deepEqual(await b.container.lookup(b.id, 'cache'), ['10.1.0.5'])
    })

    it('attaches again, with other names or in another namespace', async () => {
      const { id, container } = await attached(resolverOf({ one: ['10.1.0.6'] }))
      await world.names.attach(id, { pid: container.pid }, resolverOf({ two: ['10.1.0.7'] }))
      assert.deepEqual(await container.lookup(id, 'two'), ['10.1.0.7'])
      assert.equal(await container.lookup(id, 'one'), undefined)
      const next = await world.container()
      await world.names.attach(id, { pid: next.pid }, resolverOf({ three: ['10.1.0.8'] }))
      assert.deepEqual(await next.lookup(id, 'three'), ['10.1.0.8'])
    })

    it('answers no longer after detach, which may be repeated', async () => {
      const { id, container } = await attached(resolverOf({ web: ['10.1.0.2'] }))
      await world.names.detach(id)
      await world.names.detach(id)
      assert.equal(await container.lookup(id, 'web'), undefined)
    })

    it('forgets a container whose namespace is gone, and takes over only those that are asked for', async () => {
      const web = resolverOf({ web: ['10.1.0.2'] })
      const [ended, kept, dropped] = [await attached(web), await attached(web), await attached(web)]
      await ended.container.end(ended.id)
      const adopted = await world.names.adopt(new Set([ended.id, kept.id, newId()]))
      assert.deepEqual([...adopted], [kept.id])
      assert.deepEqual(await kept.container.lookup(kept.id, 'web'), ['10.1.0.2'])
      assert.equal(await dropped.container.lookup(dropped.id, 'web'), undefined)
    })
  })
}
