/** A certificate authority for one test, by openssl. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'] as const

export interface TestCertificate {
  /** PEM. */
  readonly cert: string
  readonly key: string
}

export class TestAuthority implements AsyncDisposable {
  readonly directory: string
  /** PEM. */
  readonly cert: string
  #serial = 1

  private constructor(directory: string, cert: string) {
    this.directory = directory
    this.cert = cert
  }

  static async make(): Promise<TestAuthority> {
    const directory = await mkdtemp(join(tmpdir(), 'berth-ca-'))
    const at = (name: string): string => join(directory, name)
    await run('openssl', [
      'req',
      '-x509',
      ...curve,
      '-subj',
      '/CN=test authority',
      '-days',
      '2',
      '-keyout',
      at('ca.key'),
      '-out',
      at('ca.crt'),
    ])
    return new TestAuthority(directory, await readFile(at('ca.crt'), 'utf8'))
  }

  /** `names` as in `subjectAltName`: `DNS:a.test`, `IP:127.0.0.1`. `days` may be negative: it has ended. */
  async issue(
    names: readonly string[],
    { days = 1 }: { readonly days?: number } = {},
  ): Promise<TestCertificate> {
    const base = join(this.directory, String((this.#serial += 1)))
    await writeFile(`${base}.ext`, `subjectAltName=${names.join(',')}\n`)
    await run('openssl', [
      'req',
      ...curve,
      '-subj',
      '/CN=test',
      '-keyout',
      `${base}.key`,
      '-out',
      `${base}.csr`,
    ])
    const signer = ['-CA', join(this.directory, 'ca.crt'), '-CAkey', join(this.directory, 'ca.key')]
    await run('openssl', [
      'x509',
      '-req',
      '-in',
      `${base}.csr`,
      ...signer,
      '-set_serial',
      String(this.#serial),
      '-days',
      String(days),
      '-extfile',
      `${base}.ext`,
      '-out',
      `${base}.crt`,
    ])
    return { cert: await readFile(`${base}.crt`, 'utf8'), key: await readFile(`${base}.key`, 'utf8') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true })
  }
}
