import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { RuntimeSpec } from './oci-runtime-spec.ts'
import { SeccompFilters } from './seccomp-filters.ts'

const crun = { name: 'crun', version: '1.8.1' }
const spec = (profile: object | undefined): RuntimeSpec =>
  ({
    annotations: { mine: '1' },
    linux: { cgroupsPath: '/x', ...(profile === undefined ? {} : { seccomp: profile }) },
  }) as never

async function inDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-filters-'))
  try {
    await work(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

describe('SeccompFilters.prepare()', () => {
  it('asks for the filter of a profile it has none for, and leaves the spec alone', () =>
    inDirectory(async (directory) => {
      const given = spec({ defaultAction: 'A' })
      const { spec: prepared, filter } = await new SeccompFilters(directory, crun).prepare(given)
      assert.equal(prepared, given)
      assert.match(filter ?? '', /[0-9a-f]{64}$/)
    }))

  it('puts a kept filter in the place of its profile', () =>
    inDirectory(async (directory) => {
      const filters = new SeccompFilters(directory, crun)
      const { filter = '' } = await filters.prepare(spec({ defaultAction: 'A' }))
      await writeFile(filter, 'program')

      const prepared = await new SeccompFilters(directory, crun).prepare(spec({ defaultAction: 'A' }))

      assert.equal(prepared.filter, undefined)
      assert.equal('seccomp' in prepared.spec.linux, false)
      assert.deepEqual(prepared.spec.annotations, {
        mine: '1',
        'run.oci.seccomp_bpf_data': Buffer.from('program').toString('base64'),
      })
    }))

  it('never gives a profile the filter of another profile or version', () =>
    inDirectory(async (directory) => {
      const { filter = '' } = await new SeccompFilters(directory, crun).prepare(spec({ defaultAction: 'A' }))
      await writeFile(filter, 'program')
      const other = await new SeccompFilters(directory, crun).prepare(spec({ defaultAction: 'B' }))
      const newer = await new SeccompFilters(directory, { ...crun, version: '2' }).prepare(
        spec({ defaultAction: 'A' }),
      )
      assert.ok(other.filter !== undefined && newer.filter !== undefined)
    }))

  it('does nothing for another runtime, or without a profile', () =>
    inDirectory(async (directory) => {
      const runc = new SeccompFilters(directory, { name: 'runc', version: '1' })
      assert.equal((await runc.prepare(spec({ defaultAction: 'A' }))).filter, undefined)
      assert.equal((await new SeccompFilters(directory, crun).prepare(spec(undefined))).filter, undefined)
    }))
})
