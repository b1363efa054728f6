import { z } from 'zod'

/** The `link` section of a peer that uses `legacy`. */
export const legacyOptionsSchema = z.strictObject({
  plugin: z.string().optional(),
  module: z
    .string()
    .min(1)
    .max(1_024)
    .describe('npm package name or path of a plugin with the interledgerjs plugin interface, version 2.'),
  options: z
    .record(z.string(), z.unknown())
    .default({})
    .describe("Handed to the plugin's constructor, with _store and _log added."),
  storeFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      'File in which the plugin keeps its data. Not set: a plugin that stores anything gets an error.',
    ),
  timeoutMs: z
    .number()
    .int()
    .min(100)
    .max(600_000)
    .default(30_000)
    .describe('Deadline of loading, sendMoney and disconnect, and for signs of life, milliseconds.'),
  connectTimeoutMs: z
    .number()
    .int()
    .min(0)
    .max(86_400_000)
    .default(60_000)
    .describe('A plugin that is not connected for so long is made anew, milliseconds. 0: never.'),
  restartMinMs: z
    .number()
    .int()
    .min(10)
    .max(60_000)
    .default(1_000)
    .describe('Pause before a plugin that failed is made anew, milliseconds; doubles each time.'),
  restartMaxMs: z
    .number()
    .int()
    .min(10)
    .max(3_600_000)
    .default(60_000)
    .describe('Longest such pause, milliseconds.'),
  maxOpenRequests: z
    .number()
    .int()
    .min(1)
    .max(65_536)
    .default(10_000)
    .describe(
      'Packets that await a reply, each way; beyond it T02 one way, an error to the plugin the other.',
    ),
  memoryMb: z
    .number()
    .int()
    .min(32)
    .max(16_384)
    .default(256)
    .describe('Heap of the thread the plugin runs in, MiB; a plugin that needs more is ended and made anew.'),
})

export type LegacyOptions = z.output<typeof legacyOptionsSchema>
