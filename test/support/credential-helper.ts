import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Puts a program `docker-credential-NAME` into `directory`/bin that keeps secrets as files beside it, and notes how it
 * was called in `directory`/calls. Returns the environment that finds it.
 */
export async function fakeCredentialHelper(directory: string, name: string): Promise<Record<string, string>> {
  const script = `#!/bin/sh
input=$(cat)
echo "$1 $input" >> '${directory}/calls'
case "$1" in
  store) printf '%s' "$input" > '${directory}/secret' ;;
  get)
    case "$input" in *broken*) echo 'the keychain is locked'; exit 1 ;; *nonsense*) echo 'hunter2'; exit 0 ;; esac
    if [ -f '${directory}/secret' ]; then cat '${directory}/secret'
    else echo 'credentials not found in native keychain'; exit 1; fi ;;
  erase) [ -f '${directory}/secret' ] && rm '${directory}/secret' || { echo 'credentials not found in native keychain'; exit 1; } ;;
  list) echo '{"host:5000":"bob"}' ;;
esac
`
  const bin = join(directory, 'bin')
  await mkdir(bin, { recursive: true })
  await writeFile(join(bin, `docker-credential-${name}`), script)
  await chmod(join(bin, `docker-credential-${name}`), 0o755)
  return { PATH: `${bin}:/usr/bin:/bin` }
}
