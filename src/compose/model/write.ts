import { Document, isMap, isScalar, visit } from 'yaml'
import { type Plain, nodeOf } from '../document/node.ts'
import { type Form, documentOf } from '../schema/document.ts'
import { project as projectShape } from '../schema/project.ts'
import { service as serviceShape } from '../schema/service.ts'
import { any } from '../schema/shape.ts'
import type { ProjectDocument, Service } from './project.ts'

const NOWHERE = { file: '', line: 0, column: 0 }
const SECTIONS = ['services', 'networks', 'volumes', 'secrets', 'configs'] as const

/** A service with its keys in the order of the normal form. */
export function orderedService(service: Service, form: Form = 'yaml'): Service {
  return documentOf(nodeOf(service as unknown as Plain, NOWHERE), serviceShape, form) as unknown as Service
}

type Section = 'networks' | 'volumes' | 'secrets' | 'configs'

/** The same for a network, volume, secret or configuration. */
export function orderedResource<T extends object>(section: Section, resource: T, form: Form = 'yaml'): T {
  const shape = projectShape.fields[section]
  const own = shape?.kind === 'map' ? shape.value : any
  return documentOf(nodeOf(resource as Plain, NOWHERE), own, form) as T
}

/** What `config --format json` prints, as a value: sections by name, keys in Compose's order. */
export function projectDocument(project: ProjectDocument): Record<string, unknown> {
  const document = { name: project.name, ...project.extensions, ...sectionsOf(project, 'json') }
  return Object.fromEntries(Object.entries(document).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function sectionsOf(project: ProjectDocument, form: Form): Record<string, unknown> {
  const sections = SECTIONS.filter((section) => Object.keys(project[section]).length > 0)
  return Object.fromEntries(
    sections.map((section) => {
      const shape = projectShape.fields[section] ?? any
      return [section, documentOf(nodeOf(project[section] as unknown as Plain, NOWHERE), shape, form)]
    }),
  )
}

/** What `config` prints. */
export function projectYaml(project: ProjectDocument): string {
  const { services = {}, ...sections } = sectionsOf(project, 'yaml')
  const models = Object.keys(project.models).length === 0 ? {} : { models: project.models }
  const value = { name: project.name, services, ...sections, ...models, ...project.extensions }
  // As version 1.1, in which words like "y" would be something else without quotes.
  const document = new Document(value, { version: '1.1' })
  visit(document, {
    Pair(_, { key, value: held }, path) {
      const isUnsaid = path.length > 3 && isScalar(key) && UNSAID.get(String(key.value))?.(held) === true
      return isUnsaid ? visit.REMOVE : undefined
    },
  })
  return document.toString({ lineWidth: 0 })
}

const isEmpty = (value: unknown): boolean => isMap(value) && value.items.length === 0
const isNull = (value: unknown): boolean => isScalar(value) && value.value === null

/** What JSON writes although it says nothing, and YAML does not. */
const UNSAID: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['ipam', isEmpty],
  ['resources', isEmpty],
  ['placement', isEmpty],
  ['command', isNull],
  ['entrypoint', isNull],
  ['exec', (value) => isMap(value) && value.items.length === 1 && isNull(value.get('command', true))],
])
