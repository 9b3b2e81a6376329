/** What the client of a build offers to the daemon: files, secrets, credentials, an agent. */
import { bytes, field, int64, map, message, type Of, string, uint32 } from '../wire/message.ts'

/** fsutil.types.Stat: `mode` in Go's bits, times in nanoseconds. */
export const Stat = message({
  path: field(1, string),
  mode: field(2, uint32),
  uid: field(3, uint32),
  gid: field(4, uint32),
  size: field(5, int64),
  modified: field(6, int64),
  link: field(7, string),
  major: field(8, int64),
  minor: field(9, int64),
  xattrs: map(10, bytes),
})
export type Stat = Of<typeof Stat>

/** fsutil.types.Packet */
export const Packet = message({
  type: field(1, uint32),
  stat: field(2, Stat.codec),
  id: field(3, uint32),
  data: field(4, bytes),
})
export type Packet = Of<typeof Packet>

export const packets = { stat: 0, request: 1, data: 2, finish: 3, error: 4 } as const

/** Of FileSend, SSH and Upload alike. */
export const BytesMessage = message({ data: field(1, bytes) })

export const GetSecretRequest = message({ id: field(1, string) })
export const GetSecretResponse = message({ data: field(1, bytes) })

export const CredentialsRequest = message({ host: field(1, string) })
export const CredentialsResponse = message({ username: field(1, string), secret: field(2, string) })

export const CheckAgentRequest = message({ id: field(1, string) })
export const CheckAgentResponse = message({})

export const HealthRequest = message({ service: field(1, string) })
/** 1: serving. */
export const HealthResponse = message({ status: field(1, uint32) })
