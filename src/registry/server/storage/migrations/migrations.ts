import type { Migration } from '#store/migrations/migration.ts'
import { tokens } from '../../access/9101-tokens.ts'
import { pages } from '../../pages-api/9203-pages.ts'
import { proxyCache } from '../../proxy/9202-proxy.ts'
import { webhookDeliveries } from '../../webhooks/9201-webhooks.ts'
import { catalogue } from './9001-catalogue.ts'

/**
 * Every step of the schema of `registry.db`, one file each, here or in the room it belongs to: 90xx the catalogue, 91xx accounts, tokens and rights, 92xx
 * descriptions, stars, webhooks and upkeep. Tables of other rooms refer to `repositories (name)` with ON DELETE CASCADE.
 */
export const migrations: readonly Migration[] = [catalogue, tokens, webhookDeliveries, proxyCache, pages]
