/**
 * The text of our one nftables table; pure. Chains are static: a container is nothing but elements of maps, so a start costs
 * one small transaction however many containers and ports there are.
 */
import { filterChains, natChains } from './nft-chains.ts'
import { type Element, type ElementSet, type Elements, elementSets } from './nft-elements.ts'

export interface TableOptions {
  /** Name in the `inet` family. */
  readonly table: string
  /**
   * Forward nothing between the host's own interfaces: for a host that did not forward before we came. Links of
   * other software (bridges, tunnels, veth) are left to that software.
   */
  readonly closed: boolean
  /**
   * Published ports are not translated on their way in: what arrives from outside passes the host's own rules for input
   * and is served by the sockets that hold the ports.
   */
  readonly respect?: boolean | undefined
}

/** Replaces the whole table, whatever it was; the kernel switches over at once. */
export function fullTransaction(options: TableOptions, elements: Elements): string {
  return [
    `table inet ${options.table}`,
    `delete table inet ${options.table}`,
    tableText(options),
    ...operations(
      options.table,
      [...elements.values()].map((element) => ({ op: 'add', element })),
    ),
    '',
  ].join('\n')
}

export interface Change {
  readonly op: 'add' | 'delete'
  readonly element: Element
}

/** Applies changes in their order; neighbours of one kind share a statement. */
export function changeTransaction(table: string, changes: readonly Change[]): string {
  return `${operations(table, changes).join('\n')}\n`
}

function operations(table: string, changes: readonly Change[]): string[] {
  const statements: string[] = []
  let head = ''
  let bodies: string[] = []
  const flush = (): void => {
    if (bodies.length > 0) statements.push(`${head} { ${bodies.join(', ')} }`)
    bodies = []
  }
  for (const { op, element } of changes) {
    const next = `${op} element inet ${table} ${element.set}`
    if (next !== head) flush()
    head = next
    bodies.push(op === 'add' ? elementText(element) : element.key)
  }
  flush()
  return statements
}

function elementText({ key, value, comment }: Element): string {
  return (
    key + (comment === undefined ? '' : ` comment "${comment}"`) + (value === undefined ? '' : ` : ${value}`)
  )
}

function tableText({ table, closed, respect }: TableOptions): string {
  const sets = Object.keys(elementSets).map((name) => setText(name as ElementSet))
  return `table inet ${table} {\n${sets.join('\n')}\n${filterChains(closed)}${natChains(respect)}}`
}

function setText(name: ElementSet): string {
  const definition = elementSets[name]
  return `  ${definition.includes(' : ') ? 'map' : 'set'} ${name} {\n    ${definition}\n  }`
}

/** What isolates, and nothing else: a table that belongs to the process that makes it. In one line, as a command. */
export function guardCommand(
  { table, closed }: Pick<TableOptions, 'table' | 'closed'>,
  elements: Elements,
): string {
  const body = [...guardSets(closed)].map((name) => setText(name)).join('\n') + `\n${filterChains(closed)}`
  const lines = `table inet ${table} {\nflags owner\n${body}}`
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const add = guardChanges(
    closed,
    [...elements.values()].map((element) => ({ op: 'add', element })),
  )
  return inOneLine([...lines, ...operations(table, add)])
}

/** The same for changes; empty when none concerns the guard. */
export function guardChangeCommand(
  { table, closed }: Pick<TableOptions, 'table' | 'closed'>,
  changes: readonly Change[],
): string {
  return inOneLine(operations(table, guardChanges(closed, changes)))
}

function guardChanges(closed: boolean, changes: readonly Change[]): Change[] {
  const sets = guardSets(closed)
  return changes.filter(({ element }) => sets.has(element.set))
}

/** The sets that the isolating chains look at. */
function guardSets(closed: boolean): ReadonlySet<ElementSet> {
  const names = [...filterChains(closed).matchAll(/@(\w+)/g)].map(([, name]) => name as ElementSet)
  return new Set(names)
}

/** Statements end at a semicolon, blocks begin without one. */
function inOneLine(lines: readonly string[]): string {
  return lines.map((line) => (line.endsWith('{') ? line : line.endsWith(';') ? line : `${line};`)).join(' ')
}
