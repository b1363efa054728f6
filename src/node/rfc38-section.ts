import { z } from 'zod'
import { EngineConfigError } from '../settlement/engine.ts'
import type { Rfc38EngineOptions } from '../settlement/rfc38/rfc38-engine-options.ts'

const milliseconds = z.number().int().min(100).max(120_000)

/** `settlement.engines.<name>` of `type: rfc38`. */
export const rfc38Section = z.strictObject({
  url: z.url().describe('Where the foreign engine answers.'),
  token: z.string().min(1).optional().describe('Bearer token shown to it. A reference to a secret.'),
  listen: z
    .strictObject({
      host: z.string().default('127.0.0.1').describe('Address where the engine reaches this node.'),
      port: z.number().int().min(0).max(65_535).describe('TCP port; 0 takes any free one.'),
      token: z
        .string()
        .min(1)
        .optional()
        .describe(
          'Bearer token that the engine must show; needed unless host is loopback. A reference to a secret.',
        ),
    })
    .describe('Where the engine tells of incoming settlements and sends messages.'),
  scale: z
    .number()
    .int()
    .min(0)
    .max(255)
    .optional()
    .describe('Scale of the amounts sent to it. Default: that of each account.'),
  deleteAccounts: z
    .boolean()
    .default(false)
    .describe('Tell the engine of removed peers: engines then forget what they had queued.'),
  connectTimeoutMs: milliseconds.default(5_000).describe('Deadline of a connection, milliseconds.'),
  requestTimeoutMs: milliseconds.default(30_000).describe('Deadline of a request, milliseconds.'),
})

/** @throws EngineConfigError naming the first wrong option */
export function parseRfc38Section(name: string, options: Record<string, unknown>): Rfc38EngineOptions {
  const result = rfc38Section.safeParse(options)
  if (result.success) return { name, ...result.data }
  const issue = result.error.issues[0]!
  const isMissing = /received undefined$/.test(issue.message)
  throw new EngineConfigError(issue.path.join('.'), isMissing ? 'is missing' : issue.message)
}
