/** What the firewall does, compared with what it should do; pure. */
import { type ForeignRules, parseForeign } from './foreign-rules.ts'
import type { PublishedPort } from './networks.ts'
import { type Element, type Elements, elementId } from './nft-elements.ts'
import type { Listing } from './nft-listing.ts'

export interface FirewallReport {
  /** Name of our table in the `inet` family. */
  readonly table: string
  readonly present: boolean
  /** Published ports pass the host's rules for input. */
  readonly respect: boolean
  /** Every difference between the kernel and what should be there, as sentences. */
  readonly drift: readonly string[]
  /** Undefined: there are more rules than could be read. */
  readonly foreign: ForeignRules | undefined
  readonly ports: readonly PortReport[]
}

export interface PortReport {
  readonly containerId: string
  readonly port: PublishedPort
  /** The container's address that it leads to. */
  readonly address: string
  /** Elements that lead there; none for a port that a socket alone serves. */
  readonly rules: readonly RuleReport[]
  /** A socket of the daemon holds it. */
  readonly held: boolean
}

interface RuleReport {
  readonly text: string
  /** The kernel has it. */
  readonly inForce: boolean
}

export interface PortState {
  readonly containerId: string
  readonly port: PublishedPort
  readonly address: string
  readonly elements: readonly Element[]
  readonly held: boolean
}

export interface FirewallFacts {
  readonly table: string
  readonly respect: boolean
  readonly live: Listing | undefined
  readonly model: Elements
  /** Whether the chains of `live` are ours. */
  readonly ours: boolean
  /** `nft -j list table` of each table that is not ours. */
  readonly others: readonly string[]
  readonly publications: readonly PortState[]
}

export function firewallReport(facts: FirewallFacts): FirewallReport {
  const { table, respect, live, publications } = facts
  return {
    table,
    respect,
    present: live !== undefined,
    drift: driftOf(facts),
    foreign: foreignOf(facts),
    ports: publications.map(({ elements, ...port }) => ({
      ...port,
      rules: elements.map((element) => ({ text: ruleText(element), inForce: isThere(live, element) })),
    })),
  }
}

function driftOf({ table, live, model, ours }: FirewallFacts): string[] {
  if (live === undefined) return [`table inet ${table} is missing`]
  const missing = [...model.values()].filter((element) => !isThere(live, element))
  const foreign = [...live.elements.values()].filter((element) => !model.has(elementId(element)))
  return [
    ...(ours ? [] : [`chains of table inet ${table} are not as they were made`]),
    ...missing.map((element) => `missing: ${ruleText(element)}`),
    ...foreign.map((element) => `not ours: ${ruleText(element)}`),
  ]
}

function isThere(live: Listing | undefined, element: Element): boolean {
  const found = live?.elements.get(elementId(element))
  return found !== undefined && found.value === element.value
}

function ruleText({ set, key, value }: Element): string {
  return `${set} ${key}${value === undefined ? '' : ` : ${value}`}`
}

function foreignOf({ others }: FirewallFacts): ForeignRules | undefined {
  try {
    return { chains: others.flatMap((listing) => parseForeign(listing).chains) }
  } catch (error) {
    // Longer than the helper passes on.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
