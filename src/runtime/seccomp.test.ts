import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isKind } from '#base/errors.ts'
import { defaultCapabilities } from './capabilities.ts'
import type { Seccomp, SeccompArgument } from './oci-runtime-spec.ts'
import { customSeccomp } from './seccomp-profile.ts'
import { defaultSeccomp } from './seccomp.ts'

const AF_ALG = 38
const AF_VSOCK = 40

/** What the profile says to a call, as the kernel would evaluate it: any rule of the name, all arguments of a rule. */
function verdict(profile: Seccomp, name: string, args: readonly bigint[] = []): string {
  const rules = profile.syscalls.filter((rule) => rule.names.includes(name))
  const hit = rules.find((rule) => (rule.args ?? []).every((argument) => matches(argument, args)))
  if (hit?.action === 'SCMP_ACT_ALLOW') return 'allow'
  return `errno ${hit?.errnoRet ?? profile.defaultErrnoRet}`
}

function matches({ index, op, value, valueTwo = 0 }: SeccompArgument, args: readonly bigint[]): boolean {
  const actual = args[index] ?? 0n
  if (op === 'SCMP_CMP_EQ') return actual === BigInt(value)
  assert.equal(op, 'SCMP_CMP_MASKED_EQ')
  return (actual & BigInt(value)) === BigInt(valueTwo)
}

describe('defaultSeccomp()', () => {
  const profile = defaultSeccomp('amd64', defaultCapabilities)

  it('CVE-2026-31431: AF_ALG and AF_VSOCK are denied whatever the upper half of the register holds', () => {
    const upper = fc.bigInt(0n, 2n ** 32n - 1n)
    fc.assert(
      fc.property(upper, fc.constantFrom(AF_ALG, AF_VSOCK), (high, family) => {
        const argument = (high << 32n) | BigInt(family)
        assert.equal(verdict(profile, 'socket', [argument]), 'errno 1')
        assert.equal(verdict(profile, 'socketpair', [argument]), 'errno 1')
      }),
    )
  })

  it('allows every other socket family that the kernel has', () => {
    for (let family = 0; family < 46; family++) {
      const expected = family === AF_ALG || family === AF_VSOCK ? 'errno 1' : 'allow'
      assert.equal(verdict(profile, 'socket', [BigInt(family)]), expected, `family ${family}`)
    }
  })

  it('CVE-2026-123876: the socketcall multiplexer is denied, by the first rule', () => {
    assert.equal(verdict(profile, 'socketcall', [1n]), 'errno 38')
    assert.deepEqual(profile.syscalls[0]?.names, ['socketcall'])
  })

  it('allows clone without and refuses it with namespace flags; clone3 does not exist', () => {
    assert.equal(verdict(profile, 'clone', [0x3d0f00n]), 'allow')
    for (const flag of [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]) {
      assert.equal(verdict(profile, 'clone', [BigInt(flag)]), 'errno 1')
    }
    assert.equal(verdict(profile, 'clone3'), 'errno 38')
  })

  it('refuses what reaches beyond a container', () => {
    const names = `
      io_uring_setup io_uring_enter userfaultfd keyctl add_key request_key kexec_load unshare setns quotactl
      perf_event_open open_tree mount umount2 pivot_root init_module bpf reboot swapon open_by_handle_at clock_settime
      pidfd_getfd kcmp move_pages mbind vm86 iopl acct listmount statmount`
    for (const name of names.trim().split(/\s+/)) {
      assert.equal(verdict(profile, name), 'errno 1', name)
    }
  })

  it('opens what a capability is for', () => {
    assert.equal(verdict(defaultSeccomp('amd64', ['CAP_SYS_ADMIN']), 'mount'), 'allow')
    assert.equal(verdict(defaultSeccomp('amd64', ['CAP_SYS_ADMIN']), 'clone', [0x10000000n]), 'allow')
    assert.equal(verdict(defaultSeccomp('amd64', ['CAP_SYS_ADMIN']), 'clone3'), 'allow')
    assert.equal(verdict(defaultSeccomp('amd64', ['CAP_BPF']), 'bpf'), 'allow')
    assert.equal(verdict(defaultSeccomp('amd64', []), 'chroot'), 'errno 1')
  })

  it('allows five personalities', () => {
    assert.equal(verdict(profile, 'personality', [0xffffffffn]), 'allow')
    assert.equal(verdict(profile, 'personality', [0x40000n]), 'errno 1')
  })

  it('names no call twice without a condition', () => {
    const unconditional = profile.syscalls
      .filter((rule) => rule.args === undefined)
      .flatMap((rule) => rule.names)
    assert.equal(new Set(unconditional).size, unconditional.length)
  })
})

describe('customSeccomp()', () => {
  const machine = { architecture: 'amd64', kernel: '6.18.0-x', bounding: ['CAP_SYS_ADMIN', 'CAP_CHOWN'] }
  const namesFor = (rule: object): readonly string[] =>
    customSeccomp(
      JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [{ names: ['x'], action: 'A', ...rule }] }),
      machine,
    ).syscalls.flatMap(({ names }) => names)

  it('takes the running architecture out of archMap', () => {
    const profile = customSeccomp(
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ERRNO',
        defaultErrnoRet: 1,
        archMap: [
          { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
          { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
        ],
        syscalls: [{ name: 'read', action: 'SCMP_ACT_ALLOW', args: null, comment: '' }],
      }),
      machine,
    )
    assert.deepEqual(profile, {
      defaultAction: 'SCMP_ACT_ERRNO',
      defaultErrnoRet: 1,
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
      syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }],
    })
  })

  it('applies conditions on capabilities, architectures and the kernel', () => {
    assert.deepEqual(namesFor({ includes: { caps: ['CAP_SYS_ADMIN'] } }), ['x'])
    assert.deepEqual(namesFor({ includes: { caps: ['CAP_SYS_ADMIN', 'CAP_BPF'] } }), [])
    assert.deepEqual(namesFor({ excludes: { caps: ['CAP_BPF', 'CAP_CHOWN'] } }), [])
    assert.deepEqual(namesFor({ includes: { arches: ['arm64'] } }), [])
    assert.deepEqual(namesFor({ excludes: { arches: ['amd64'] } }), [])
    assert.deepEqual(namesFor({ includes: { minKernel: '4.8' } }), ['x'])
    assert.deepEqual(namesFor({ includes: { minKernel: '6.19' } }), [])
    assert.deepEqual(namesFor({ excludes: { minKernel: '6.18' } }), [])
  })

  for (const [text, message] of [
    ['{', /^Decoding seccomp profile failed/],
    ['[]', /not an object/],
    ['{}', /defaultAction is missing/],
    ['{"defaultAction":"A","architectures":["a"],"archMap":[{}]}', /use either 'architectures' or 'archMap'/],
    ['{"defaultAction":"A","syscalls":[{"name":"a","names":["b"]}]}', /use either 'name' or 'names'/],
    ['{"defaultAction":"A","syscalls":{}}', /syscalls is not a list/],
    ['{"defaultAction":"A","syscalls":[{"names":["a"]}]}', /action is missing/],
  ] as const) {
    it(`refuses ${text}`, () => {
      assert.throws(() => customSeccomp(text, machine), { message })
    })
  }

  it('fails only with invalid_argument on any JSON', () => {
    fc.assert(
      fc.property(fc.record({ defaultAction: fc.constant('A'), syscalls: fc.jsonValue() }), (profile) => {
        try {
          customSeccomp(JSON.stringify(profile), machine)
        } catch (error) {
          assert.ok(isKind(error, 'invalid_argument'), String(error))
        }
      }),
    )
  })
})
