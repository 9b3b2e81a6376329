/** The rows of images, of the names that lead to them, and of their layers. Writers decide on the transaction. */
import type { Digest } from '#base/digest.ts'
import { type Database, isForeignKeyViolation } from './db.ts'

/** An image as it lies in the database; its config is a blob with the digest `id`. */
export interface ImageRow {
  readonly id: Digest
  /** Bytes of its uncompressed layers. */
  readonly size: number
  /** Milliseconds since the epoch; undefined when the config does not say. */
  readonly created: number | undefined
  readonly labels: Readonly<Record<string, string>> | undefined
  readonly parentId: Digest | undefined
  /** Milliseconds since the epoch. */
  readonly taggedAt: number | undefined
}

export interface NewImageRow extends Omit<ImageRow, 'size' | 'taggedAt'> {
  /** Bottom first. */
  readonly layers: readonly LayerRow[]
}

export interface LayerRow {
  readonly diffId: Digest
  readonly size: number
}

export interface ReferenceRow {
  /** A normalised reference with either a tag or a digest. */
  readonly name: string
  readonly imageId: Digest
}

/** A layer as a repository of a registry has it. */
export interface LayerBlobRow {
  readonly diffId: Digest
  /** Domain and path: `docker.io/library/alpine`. */
  readonly repository: string
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
}

export interface ManifestRow {
  readonly digest: Digest
  readonly mediaType: string
  readonly size: number
}

export class ImageRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /** Adds an image, or shows it again when it is there already; its layers get their rows, too. */
  put(image: NewImageRow): void {
    const { id, created, labels, parentId, layers } = image
    this.#db.transaction(() => {
      for (const layer of layers) this.putLayer(layer)
      const size = layers.reduce((sum, layer) => sum + layer.size, 0)
      const added = this.#db.run(
        `INSERT INTO images (id, size, created, labels, parent_id) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET hidden = 0, parent_id = coalesce(parent_id, excluded.parent_id)`,
        [id, size, created ?? null, labels === undefined ? null : JSON.stringify(labels), parentId ?? null],
      )
      if (added === 0) return
      layers.forEach(({ diffId }, position) => {
        this.#db.run(
          'INSERT INTO image_layers (image_id, position, diff_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
          [id, position, diffId],
        )
      })
    })
  }

  /** For whatever is to refer to it in the same transaction. */
  putLayer({ diffId, size }: LayerRow): void {
    this.#db.run('INSERT INTO layers (diff_id, size) VALUES (?, ?) ON CONFLICT DO NOTHING', [diffId, size])
  }

  get(id: Digest): ImageRow | undefined {
    const row = this.#db.get<StoredImage>(`${selectImages} WHERE id = ? AND hidden = 0`, [id])
    return row && imageRow(row)
  }

  /** The newest first. */
  list(): ImageRow[] {
    return this.#db
      .all<StoredImage>(`${selectImages} WHERE hidden = 0 ORDER BY created DESC, id`)
      .map(imageRow)
  }

  /** Up to two ids that begin with these hexadecimal digits: enough to see that a short id is ambiguous. */
  search(hex: string): Digest[] {
    // A range instead of LIKE: it uses the primary key.
    return this.#db
      .all<{ id: Digest }>('SELECT id FROM images WHERE id >= ? AND id < ? AND hidden = 0 LIMIT 2', [
        `sha256:${hex}`,
        `sha256:${hex}g`,
      ])
      .map(({ id }) => id)
  }

  /** Diff ids, bottom first. */
  layers(id: Digest): Digest[] {
    return this.#db
      .all<{ diffId: Digest }>(
        'SELECT diff_id AS diffId FROM image_layers WHERE image_id = ? ORDER BY position',
        [id],
      )
      .map(({ diffId }) => diffId)
  }

  /** Images that were made from this one. */
  children(id: Digest): Digest[] {
    return this.#db
      .all<{ id: Digest }>('SELECT id FROM images WHERE parent_id = ? AND hidden = 0 ORDER BY id', [id])
      .map((row) => row.id)
  }

  manifests(id: Digest): ManifestRow[] {
    return this.#db.all<ManifestRow>(
      'SELECT digest, media_type AS mediaType, size FROM image_manifests WHERE image_id = ? ORDER BY digest',
      [id],
    )
  }

  /** Images that came with this manifest or index; more than one for an index of several platforms. */
  withManifest(digest: Digest): Digest[] {
    return this.#db
      .all<{ id: Digest }>('SELECT image_id AS id FROM image_manifests WHERE digest = ? ORDER BY image_id', [
        digest,
      ])
      .map(({ id }) => id)
  }

  /** Images without a name that came with what some name leads to, by that: other platforms of an index. */
  variants(): Map<Digest, Digest[]> {
    const rows = this.#db.all<{ id: Digest; target: Digest }>(
      `SELECT image_id AS id, digest AS target FROM image_manifests
       WHERE digest IN (SELECT target FROM image_references)
         AND image_id NOT IN (SELECT image_id FROM image_references)
       ORDER BY image_id`,
    )
    const variants = new Map<Digest, Digest[]>()
    for (const { id, target } of rows) variants.set(target, [...(variants.get(target) ?? []), id])
    return variants
  }

  putManifest(id: Digest, { digest, mediaType, size }: ManifestRow): void {
    this.#db.run(
      'INSERT INTO image_manifests (image_id, digest, media_type, size) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      [id, digest, mediaType, size],
    )
  }

  /**
   * Deletes an image without references; layers that nothing else needs lose their rows as well and are returned.
   * While a container has it, it is only hidden: nothing else changes, and `undefined` is returned.
   */
  remove(id: Digest): Digest[] | undefined {
    try {
      return this.#db.transaction(() => {
        this.#db.run('DELETE FROM images WHERE id = ?', [id])
        return this.removeUnusedLayers()
      })
    } catch (error) {
      if (!isForeignKeyViolation(error)) throw error
      this.#db.run('UPDATE images SET hidden = 1 WHERE id = ?', [id])
      return undefined
    }
  }

  /** Images that were hidden, whether or not something uses them still. */
  hidden(): Digest[] {
    return this.#db.all<{ id: Digest }>('SELECT id FROM images WHERE hidden = 1').map(({ id }) => id)
  }

  /** Layers that neither an image nor a result of a build has lose their rows and are returned. */
  removeUnusedLayers(): Digest[] {
    return this.#db
      .all<{ diffId: Digest }>(
        `DELETE FROM layers WHERE NOT EXISTS (SELECT 1 FROM image_layers WHERE image_layers.diff_id = layers.diff_id)
         AND NOT EXISTS (SELECT 1 FROM build_results WHERE layer = layers.diff_id)
         RETURNING diff_id AS diffId`,
      )
      .map(({ diffId }) => diffId)
  }
}

/** Names of images. */
export class ReferenceRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  /**
   * Points `name` to an image; the one it led to before, if that was another one, is returned. `target` is the manifest
   * or index it was fetched, loaded or pushed as. `now` undefined: nobody has named the image, it only got about.
   */
  put(name: string, imageId: Digest, now: number | undefined, target?: Digest): Digest | undefined {
    return this.#db.transaction(() => {
      const before = this.get(name)
      this.#db.run(
        `INSERT INTO image_references (name, image_id, target) VALUES (?, ?, ?)
         ON CONFLICT (name) DO UPDATE SET image_id = excluded.image_id, target = excluded.target`,
        [name, imageId, target ?? null],
      )
      if (now !== undefined) this.#db.run('UPDATE images SET tagged_at = ? WHERE id = ?', [now, imageId])
      return before === imageId ? undefined : before
    })
  }

  get(name: string): Digest | undefined {
    return this.#db.get<{ id: Digest }>('SELECT image_id AS id FROM image_references WHERE name = ?', [name])
      ?.id
  }

  /** The manifest or index that `name` was fetched or loaded as; undefined for one given here. */
  target(name: string): Digest | undefined {
    return (
      this.#db.get<{ target: Digest | null }>('SELECT target FROM image_references WHERE name = ?', [name])
        ?.target ?? undefined
    )
  }

  /** Whether any name leads to this manifest or index. */
  isTarget(target: Digest): boolean {
    return this.#db.get('SELECT 1 FROM image_references WHERE target = ?', [target]) !== undefined
  }

  /** Names of one image, in order. */
  of(imageId: Digest): string[] {
    return this.#db
      .all<{ name: string }>('SELECT name FROM image_references WHERE image_id = ? ORDER BY name', [imageId])
      .map(({ name }) => name)
  }

  /** All names, in order. */
  list(): ReferenceRow[] {
    return this.#db.all<ReferenceRow>('SELECT name, image_id AS imageId FROM image_references ORDER BY name')
  }

  /** False when there was no such name. */
  remove(name: string): boolean {
    return this.#db.run('DELETE FROM image_references WHERE name = ?', [name]) > 0
  }
}

/** The rows of layers, for accounting and collection. */
export class LayerRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  has(diffId: Digest): boolean {
    return this.#db.get('SELECT 1 FROM layers WHERE diff_id = ?', [diffId]) !== undefined
  }

  sizes(): Map<Digest, number> {
    const rows = this.#db.all<LayerRow>('SELECT diff_id AS diffId, size FROM layers')
    return new Map(rows.map(({ diffId, size }) => [diffId, size]))
  }

  /** Layers that more than one visible image has. */
  shared(): Set<Digest> {
    const rows = this.#db.all<{ diffId: Digest }>(
      `SELECT diff_id AS diffId FROM image_layers JOIN images ON images.id = image_id WHERE hidden = 0
       GROUP BY diff_id HAVING count(DISTINCT image_id) > 1`,
    )
    return new Set(rows.map(({ diffId }) => diffId))
  }

  /** Ids of other images (hidden ones, too) whose lowest layer is this one. */
  imagesOn(diffId: Digest, except: Digest): Digest[] {
    return this.#db
      .all<{ id: Digest }>(
        'SELECT image_id AS id FROM image_layers WHERE diff_id = ? AND position = 0 AND image_id <> ?',
        [diffId, except],
      )
      .map(({ id }) => id)
  }

  /** Digests of all blobs that images need: configs and manifests. */
  blobs(): Set<Digest> {
    const rows = this.#db.all<{ digest: Digest }>(
      'SELECT id AS digest FROM images UNION SELECT digest FROM image_manifests',
    )
    return new Set(rows.map(({ digest }) => digest))
  }

  /** Whether `digest` is among `blobs()`. */
  needsBlob(digest: Digest): boolean {
    const sql = 'SELECT 1 FROM images WHERE id = ? UNION ALL SELECT 1 FROM image_manifests WHERE digest = ?'
    return this.#db.get(sql, [digest, digest]) !== undefined
  }
}

/** Where layers lie in registries: what a push need not send. */
export class LayerBlobRows {
  readonly #db: Database

  constructor(db: Database) {
    this.#db = db
  }

  put({ diffId, repository, digest, mediaType, size }: LayerBlobRow): void {
    this.#db.run(
      `INSERT INTO layer_blobs (diff_id, repository, digest, media_type, size) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      [diffId, repository, digest, mediaType, size],
    )
  }

  of(diffId: Digest): LayerBlobRow[] {
    return this.#db.all<LayerBlobRow>(
      `SELECT diff_id AS diffId, repository, digest, media_type AS mediaType, size FROM layer_blobs
       WHERE diff_id = ? ORDER BY repository, digest`,
      [diffId],
    )
  }

  /** It is not there any more. */
  remove({ diffId, repository, digest }: Pick<LayerBlobRow, 'diffId' | 'repository' | 'digest'>): void {
    this.#db.run('DELETE FROM layer_blobs WHERE diff_id = ? AND repository = ? AND digest = ?', [
      diffId,
      repository,
      digest,
    ])
  }
}

interface StoredImage {
  readonly id: Digest
  readonly size: number
  readonly created: number | null
  readonly labels: string | null
  readonly parentId: Digest | null
  readonly taggedAt: number | null
}

const selectImages =
  'SELECT id, size, created, labels, parent_id AS parentId, tagged_at AS taggedAt FROM images'

function imageRow(row: StoredImage): ImageRow {
  return {
    id: row.id,
    size: row.size,
    created: row.created ?? undefined,
    labels: row.labels === null ? undefined : (JSON.parse(row.labels) as Record<string, string>),
    parentId: row.parentId ?? undefined,
    taggedAt: row.taggedAt ?? undefined,
  }
}
