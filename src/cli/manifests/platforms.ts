import type { Platform } from '#oci/platform.ts'

/** Processors by operating system: those of Go, whose words the image specification uses, and what Docker took before. */
const known: Readonly<Record<string, string>> = {
  aix: 'ppc64',
  android: '386 amd64 arm arm64',
  darwin: '386 amd64 arm arm64',
  dragonfly: 'amd64',
  freebsd: '386 amd64 arm arm64 riscv64',
  illumos: 'amd64',
  ios: 'amd64 arm64',
  js: 'wasm',
  linux: '386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x',
  netbsd: '386 amd64 arm arm64',
  openbsd: '386 amd64 arm arm64 ppc64 riscv64',
  plan9: '386 amd64 arm',
  solaris: 'amd64',
  wasi: 'wasm',
  wasip1: 'wasm',
  windows: '386 amd64 arm arm64',
}

export const knownSystems: readonly string[] = Object.keys(known)
export const knownProcessors: readonly string[] = [...new Set(Object.values(known).join(' ').split(' '))]

/** A slip would make an entry that nobody ever pulls. */
export function isKnownPlatform({ os, architecture }: Platform): boolean {
  return Object.hasOwn(known, os) && (known[os] ?? '').split(' ').includes(architecture)
}
