import type { Resolver } from './name-service.ts'

/** Requests to berth-dns, as lines (native/PROTOCOL.md §4). */
export function attachRequest(id: string, pid: number, resolver: Resolver): string {
  return `${tableLines(resolver)}attach ${id} ${pid}\n`
}

/** Each table once, however many containers see it. */
export function updateRequest(resolvers: ReadonlyMap<string, Resolver>): string {
  const idsOf = new Map<Resolver, string[]>()
  for (const [id, resolver] of resolvers) {
    const ids = idsOf.get(resolver)
    if (ids === undefined) idsOf.set(resolver, [id])
    else ids.push(id)
  }
  let text = ''
  for (const [resolver, ids] of idsOf) {
    text += tableLines(resolver)
    for (const id of ids) text += `update ${id}\n`
  }
  return text
}

export function detachRequest(ids: Iterable<string>): string {
  return [...ids].map((id) => `detach ${id}\n`).join('')
}

export const listRequest = 'list\n'

/** Container ids in the answer to `list`. */
export function listedContainers(lines: readonly string[]): ReadonlySet<string> {
  const ids = new Set<string>()
  for (const line of lines) {
    const [word, id] = line.split(' ')
    if (word === 'container' && id !== undefined) ids.add(id)
  }
  return ids
}

function tableLines({ names, pointers, upstream }: Resolver): string {
  const servers = typeof upstream === 'string' ? upstream : upstream.join(' ')
  let text = `table\nupstream ${servers}\n`
  for (const [name, addresses] of names) {
    if (canBeAsked(name)) text += `name ${name} ${addresses.join(' ')}\n`
  }
  for (const [address, name] of pointers) {
    if (canBeAsked(name)) text += `pointer ${address} ${name}\n`
  }
  return text
}

/** An alias may be any text; what is no name in DNS is left out, since nobody can ask for it. */
function canBeAsked(name: string): boolean {
  return (
    !/[\s\0]/.test(name) &&
    Buffer.byteLength(name) <= 253 &&
    name.split('.').every((label) => label !== '' && Buffer.byteLength(label) <= 63)
  )
}
