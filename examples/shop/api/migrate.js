import { redis } from './redis.js'

// Once: what is there already stays.
if ((await redis('SETNX', 'schema', '1')) === 1) {
  for (const name of ['lamp', 'chair']) await redis('RPUSH', 'products', name)
  console.log('filled')
} else console.log('nothing to do')
