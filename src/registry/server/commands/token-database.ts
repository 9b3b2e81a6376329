import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '#base/clock.ts'
import { EngineError, isErrno } from '#base/errors.ts'
import { silentLogger } from '#base/logger.ts'
import { openDatabase } from '#store/db.ts'
import { AccessTokens } from '../access/access-tokens.ts'
import { Logins } from '../access/logins.ts'
import { migrations } from '../storage/migrations/migrations.ts'

/** The tokens of a registry, which may be running: SQLite lets one writer after the other. */
export async function withTokens<T>(
  root: string,
  work: (tokens: { readonly accessTokens: AccessTokens; readonly logins: Logins }) => Promise<T> | T,
): Promise<T> {
  const path = join(root, 'registry.db')
  try {
    await access(path)
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR')) throw error
    throw new EngineError(
      'not_found',
      `there is no registry in ${root}; "berth registry serve --root ${root}" makes one`,
      {
        code: 'REGISTRY_ROOT_MISSING',
        cause: error,
      },
    )
  }
  await using db = openDatabase(path, { logger: silentLogger, migrations })
  return await work({ accessTokens: new AccessTokens(db, systemClock), logins: new Logins(db, systemClock) })
}
