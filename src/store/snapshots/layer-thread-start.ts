/** Begins a thread of layer-thread.ts behind whatever else wants the processor, also while the rest of it is loaded. */
import { getPriority, setPriority } from 'node:os'

const NICE = 5

// Of this thread alone: Linux takes 0 for the caller.
setPriority(0, Math.max(NICE, getPriority(0)))
await import('./layer-thread.ts')
