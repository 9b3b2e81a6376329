/** The name of the file that a download of ADD is: the last part of the address's path, as BuildKit has it. */
export function downloadName(url: string): string {
  const path = pathOf(url)
  const base = path.split('/').findLast((part) => part !== '')
  return base === undefined || base === '.' || base === '..' ? '__unnamed__' : base
}

function pathOf(url: string): string {
  if (!URL.canParse(url)) return ''
  const { pathname } = new URL(url)
  try {
    return decodeURIComponent(pathname)
  } catch (error) {
    if (error instanceof URIError) return pathname
    throw error
  }
}
