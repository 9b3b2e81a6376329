/** The thread of BcryptThread: one job after the other. */
import { parentPort } from 'node:worker_threads'
import { compareSync, hashSync } from 'bcryptjs'
import { messageOf } from '#base/errors.ts'

/** With `hash`: does the password belong to it? Without: make one. */
export interface BcryptJob {
  readonly id: number
  readonly password: string
  readonly hash?: string
}

export interface BcryptResult {
  readonly id: number
  readonly value?: string | boolean
  readonly error?: string
}

/** 2^10 rounds, about 50 ms; what htpasswd users and other registries are used to. */
const COST = 10

parentPort?.on('message', (job: BcryptJob) => parentPort?.postMessage(work(job)))

function work({ id, password, hash }: BcryptJob): BcryptResult {
  try {
    return { id, value: hash === undefined ? hashSync(password, COST) : compareSync(password, hash) }
  } catch (error) {
    return { id, error: messageOf(error) }
  }
}
