import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { networkHash, serviceHash, volumeHash } from '../model/hash.ts'
import { projectOf } from '../load/memory.fixture.ts'
import type { Project } from '../model/project.ts'
import type { Observed, ObservedContainer } from '../state/observed.ts'
import { planDown } from './down.ts'
import { planText } from './print.ts'
import { reconcile } from './reconcile.ts'
import type { Wishes } from './wishes.ts'

const golden = join(import.meta.dirname, '../../../test/golden/compose')
/** `UPDATE_GOLDEN=1` writes the files anew; then read what changed. */
const update = process.env['UPDATE_GOLDEN'] === '1'

function check(name: string, text: string): void {
  const file = join(golden, `${name}.plan`)
  if (update || !existsSync(file)) writeFileSync(file, text)
  assert.equal(text, readFileSync(file, 'utf8'), `differs from ${file}`)
}

const wishes: Wishes = {
  named: [],
  recreate: 'changed',
  recreateDependencies: 'changed',
  starts: true,
  scale: {},
  removeOrphans: false,
  renewAnonymousVolumes: false,
  recreateVolumes: false,
  rolling: false,
}

const nothing: Observed = { containers: [], networks: new Map(), volumes: new Map(), images: new Map() }

const shop = `
name: shop
services:
  web:
    image: web
    depends_on: {api: {condition: service_healthy, restart: true}}
    networks: [front]
  api:
    image: api
    scale: 2
    depends_on:
      db: {condition: service_healthy}
      migrate: {condition: service_completed_successfully}
    networks: [front, default]
  migrate: {image: api, depends_on: [db]}
  db: {image: db, volumes: ["data:/data", /anonymous]}
networks: {front: {}}
volumes: {data: {}}
`

/** As `up` leaves the project, with changes to single containers by name. */
function made(
  project: Project,
  changes: Readonly<Record<string, Partial<ObservedContainer>>> = {},
): Observed {
  const containers = Object.entries(project.services).flatMap(([service, definition]) =>
    Array.from({ length: definition.scale ?? 1 }, (_, i): ObservedContainer => {
      const name = `${project.name}-${service}-${i + 1}`
      const networks = Object.keys(definition.networks ?? {}).map(
        (key) => [`${project.name}_${key}`, `id-${key}`] as const,
      )
      return {
        id: `id-${name}`,
        name,
        service,
        number: i + 1,
        oneoff: false,
        hash: serviceHash(definition),
        imageId: `sha256:${definition.image}`,
        image: definition.image ?? '',
        status: service === 'migrate' ? 'exited' : 'running',
        statusText: '',
        health: 'healthy',
        networks: new Map(networks),
        volumes:
          service === 'db'
            ? [
                { name: 'shop_data', target: '/data' },
                { name: 'a'.repeat(64), target: '/anonymous' },
              ]
            : [],
        replaces: undefined,
        labels: {
          'com.docker.compose.depends_on': Object.keys(definition.depends_on ?? {})
            .map((key) => `${key}:service_started:false`)
            .join(','),
        },
        summary: {},
        ...changes[name],
      }
    }),
  )
  const networks = Object.entries(project.networks).map(
    ([key, network]) =>
      [network.name, { id: `id-${key}`, name: network.name, hash: networkHash(network), own: true }] as const,
  )
  const volumes = Object.values(project.volumes).map(
    (volume) => [volume.name, { name: volume.name, hash: volumeHash(volume), own: true }] as const,
  )
  const images = Object.values(project.services).map(
    ({ image = '' }) => [image, { id: `sha256:${image}`, taggedAt: undefined }] as const,
  )
  return { containers, networks: new Map(networks), volumes: new Map(volumes), images: new Map(images) }
}

function planned(
  project: Project,
  observed: Observed,
  more: Partial<Wishes> = {},
  changes?: ReadonlyMap<string, readonly string[]>,
): string {
  const { plan, warnings } = reconcile(project, observed, { ...wishes, ...more }, changes)
  return planText(plan) + warnings.map((warning) => `warning: ${warning}\n`).join('')
}

describe('reconcile()', () => {
  const project = projectOf(shop)

  it('makes everything where there is nothing', () => {
    check('first', planned(project, nothing))
  })

  it('does nothing where nothing has changed, but for jobs, which run again', () => {
    check('unchanged', planned(project, made(project)))
    assert.equal(planned(project, made(project, { 'shop-migrate-1': { status: 'running' } })), '')
  })

  it('replaces what has changed, says what, and restarts what asked for it', () => {
    const changed = projectOf(shop.replace('image: api\n', 'image: api\n    environment: {DEBUG: "1"}\n'))
    const changes = new Map([['id-shop-api-1', ['environment.DEBUG']]])
    check(
      'changed',
      planned(changed, made(project, { 'shop-migrate-1': { status: 'running' } }), {}, changes),
    )
  })

  it('removes the highest numbers, and what is out of date before them', () => {
    const one = projectOf(shop.replace('scale: 2', 'scale: 1'))
    const running = { 'shop-migrate-1': { status: 'running' } } as const
    check('scaled-down', planned(one, made(project, running)))
    check(
      'scaled-down-stale',
      planned(one, made(project, { ...running, 'shop-api-1': { imageId: 'sha256:old' } })),
    )
    check('scaled-up', planned(project, made(project, running), { scale: { web: 2 } }))
  })

  it('takes containers away before a network that has changed', () => {
    const changed = projectOf(shop.replace('front: {}', 'front: {internal: true}'))
    check('network', planned(changed, made(project, { 'shop-migrate-1': { status: 'running' } })))
  })

  it('leaves the data of a volume that has changed, unless told otherwise', () => {
    const changed = projectOf(shop.replace('data: {}', 'data: {labels: {a: b}}'))
    const observed = made(project, { 'shop-migrate-1': { status: 'running' } })
    check('volume', planned(changed, observed))
    check('volume-yes', planned(changed, observed, { recreateVolumes: true }))
  })

  it('completes a replacement that was interrupted', () => {
    const running = { 'shop-migrate-1': { status: 'running' } } as const
    const observed = made(project, running)
    const web = observed.containers.find(({ name }) => name === 'shop-web-1')
    assert.ok(web !== undefined)
    const successor = { ...web, id: 'new', name: 'id_shop-web-1', replaces: web.id }
    const stopped = { ...web, status: 'exited' } as const
    const others = observed.containers.filter(({ id }) => id !== web.id)
    check(
      'interrupted-running',
      planned(project, { ...observed, containers: [...others, stopped, successor] }),
    )
    check(
      'interrupted-created',
      planned(project, { ...observed, containers: [...others, web, { ...successor, status: 'created' }] }),
    )
    check('interrupted-late', planned(project, { ...observed, containers: [...others, successor] }))
  })

  it('replaces one after the other where two can run at the same time', () => {
    const checked = 'image: api\n    healthcheck: {test: x}\n'
    const changed = projectOf(shop.replace('image: api\n', checked))
    const observed = made(project, { 'shop-migrate-1': { status: 'running' } })
    check('rolling', planned(changed, observed, { rolling: true }))
    const published = projectOf(
      shop.replace('image: web\n', 'image: web\n    healthcheck: {test: x}\n    ports: ["80:80"]\n'),
    )
    check('rolling-port', planned(published, observed, { rolling: true }))
  })

  it('names orphans, and removes them when it is asked to', () => {
    const observed = made(project, { 'shop-migrate-1': { status: 'running' } })
    const orphan = {
      ...(observed.containers[0] as ObservedContainer),
      id: 'o',
      name: 'shop-old-1',
      service: 'old',
    }
    const more = { ...observed, containers: [...observed.containers, orphan] }
    check('orphans', planned(project, more))
    check('orphans-removed', planned(project, more, { removeOrphans: true }))
  })

  it('forces only what is named', () => {
    const observed = made(project, { 'shop-migrate-1': { status: 'running' } })
    check('forced', planned(project, observed, { named: ['web'], recreate: 'always' }))
    assert.equal(planned(project, observed, { recreate: 'never' }), '')
  })

  it('refuses external networks and volumes that are not there', () => {
    const external = projectOf(`${shop.replace('front: {}', 'front: {external: true}')}`)
    assert.throws(
      () => planned(external, nothing),
      /network front declared as external, but could not be found/,
    )
  })
})

describe('planDown()', () => {
  const project = projectOf(shop)
  const everything = { named: [], removeVolumes: true, removeImages: 'none', removeOrphans: false } as const

  it('stops what needs others first, then removes', () => {
    check('down', planText(planDown(project, made(project), everything)))
  })

  it('stops and removes only what is named', () => {
    check(
      'down-one',
      planText(planDown(project, made(project), { ...everything, named: ['web'], removeVolumes: false })),
    )
  })
})
