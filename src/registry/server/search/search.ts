/** Finds repositories by parts of their names and descriptions. */
import type { Database } from '#store/db.ts'

export interface FoundRepository {
  readonly name: string
  readonly description: string
  readonly stars: number
  readonly official: boolean
}

interface Stored {
  readonly name: string
  readonly description: string
  readonly stars: number
  readonly official: number
  readonly pulls: number
}

/** Words beyond are ignored: each one costs a look at the index. */
const MAX_WORDS = 10

/**
 * Repositories with at least one manifest in whose name or description every word of `query` stands, the best first:
 * the name itself, then names that begin with it, official ones, those with more stars, those pulled more often.
 */
export function searchRepositories(db: Database, query: string): readonly FoundRepository[] {
  const words = [...new Set(query.toLowerCase().split(/\s+/))]
    .filter((word) => word !== '')
    .slice(0, MAX_WORDS)
  // Without ESCAPE, so that the index is used: "_" and "%" find too much, which is sorted out below.
  const conditions = words.map(
    (_word, index) => `AND id IN (SELECT rowid FROM repository_search WHERE name LIKE ?${index + 1}
                                  UNION SELECT rowid FROM repository_search WHERE description LIKE ?${index + 1})`,
  )
  const rows = db.all<Stored>(
    `SELECT name, description, official, pulls,
       (SELECT count(*) FROM repository_stars WHERE repository = name) AS stars
     FROM repository_pages JOIN repositories USING (name)
     WHERE EXISTS (SELECT 1 FROM manifests WHERE repository = name) ${conditions.join('\n')}`,
    words.map((word) => `%${word}%`),
  )
  const whole = words.join(' ')
  return rows
    .filter((row) => words.every((word) => textOf(row).includes(word)))
    .toSorted(
      (a, b) =>
        rankOf(a.name, whole) - rankOf(b.name, whole) ||
        b.official - a.official ||
        b.stars - a.stars ||
        b.pulls - a.pulls ||
        (a.name < b.name ? -1 : 1),
    )
    .map(({ name, description, stars, official }) => ({ name, description, stars, official: official === 1 }))
}

function textOf({ name, description }: Stored): string {
  return `${name}\n${description.toLowerCase()}`
}

/** The less, the better. The last component counts as a name of its own: people search for `app`, not `team/app`. */
function rankOf(name: string, query: string): number {
  const last = name.slice(name.lastIndexOf('/') + 1)
  if (name === query) return 0
  if (last === query) return 1
  if (name.startsWith(query)) return 2
  return last.startsWith(query) ? 3 : 4
}
