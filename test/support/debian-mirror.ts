import { spawnSync } from 'node:child_process'

/** Whether the mirror that the image of Debian names can be reached from this machine. */
export function mirrorAnswers(): boolean {
  const script = `. /etc/os-release; set -- $(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages')
    /usr/lib/apt/apt-helper download-file "$1dists/$VERSION_CODENAME/Release" "$(mktemp -u)"`
  return spawnSync('sh', ['-c', script]).status === 0
}
