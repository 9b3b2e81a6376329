import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatPlatform, hostPlatform } from '#oci/platform.ts'
import { detectedPlatform } from './host-platform.ts'

const skip = hostPlatform().architecture === 'amd64' ? false : 'levels are a matter of x86-64'
const v2 = 'fpu cx16 lahf_lm popcnt sse4_1 sse4_2 ssse3'
const v3 = `${v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave`
const v4 = `${v3} avx512f avx512bw avx512cd avx512dq avx512vl`

describe('detectedPlatform()', { skip }, () => {
  it('has the highest level of which the processor has everything', () => {
    const of = (flags: string): string =>
      formatPlatform(detectedPlatform(`processor\t: 0\nflags\t\t: ${flags}\nbugs\t\t:\n`))
    assert.equal(of('fpu sse2'), 'linux/amd64')
    assert.equal(of(v2), 'linux/amd64/v2')
    assert.equal(of(v3), 'linux/amd64/v3')
    assert.equal(of(v3.replace('fma ', '')), 'linux/amd64/v2')
    assert.equal(of(v4), 'linux/amd64/v4')
    assert.equal(of(v4.replace('ssse3', 'sse3')), 'linux/amd64')
  })
})
