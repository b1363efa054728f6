import { z } from 'zod'
import { peerSchema } from '../../config/schema.ts'
import { ApiError } from '../api-error.ts'
import { hideSecrets } from '../hide-secrets.ts'
import { type ApiRoute, route } from '../route.ts'
import type { PeerView } from '../services.ts'
import { amount, identifier, idParams, offsetPage, offsetQuery } from './fields.ts'

const peerView = z.strictObject({
  id: z.string(),
  relation: z.enum(['parent', 'peer', 'child', 'local']),
  source: z.enum(['config', 'admin']).describe('Peers of the configuration file cannot be removed here.'),
  assetCode: z.string(),
  assetScale: z.number().int(),
  plugin: z.string(),
  ilpAddress: z
    .string()
    .optional()
    .describe('Our address for it when it is a child; its own prefix otherwise.'),
  link: z.strictObject({
    connected: z.boolean(),
    remote: z.string().optional(),
    changedAtMs: z.number().optional(),
    lastError: z.string().optional().describe('Why it is not connected.'),
  }),
  balance: amount.describe('Above zero we owe the peer, below zero the peer owes us.'),
  reserved: amount.describe('Incoming value of packets in flight from it.'),
  creditLimit: amount.describe('How far the balance may go below zero.'),
  payableLimit: amount.optional().describe('The most we may owe it; absent: no limit.'),
  packetsInFlight: z.number().int().min(0),
  settings: z.record(z.string(), z.unknown()).describe('Effective settings, secrets hidden.'),
})

/** Checked as an entry of `peers` in the configuration, and handed on as it came. */
const newPeer = z.record(z.string(), z.unknown()).superRefine((settings, context) => {
  const { error } = peerSchema.safeParse(settings)
  for (const { path, message } of error?.issues ?? []) context.addIssue({ code: 'custom', path, message })
})

const PEER_KEYS = Object.keys(peerSchema.shape).filter((key) => key !== 'id')

const peerChanges = z.record(z.string(), z.unknown()).superRefine((changes, context) => {
  const keys = Object.keys(changes)
  if (keys.length === 0) context.addIssue({ code: 'custom', message: 'name at least one field to change' })
  for (const key of keys) {
    if (PEER_KEYS.includes(key)) continue
    const message = `cannot be changed or is not known; the fields are ${PEER_KEYS.join(', ')}`
    context.addIssue({ code: 'custom', path: [key], message })
  }
})

function present(peer: PeerView): PeerView {
  return { ...peer, settings: hideSecrets(peer.settings) as Record<string, unknown> }
}

export const peerRoutes: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/api/admin/peers',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'All peers with their links, balances and settings.',
    request: { query: offsetQuery },
    reply: z.array(peerView),
    list: 'offset',
    handler: ({ services, query }) => {
      const page = offsetPage(services.peers.list(), query)
      return { ...page, data: page.data.map(present) }
    },
  }),
  route({
    method: 'POST',
    path: '/api/admin/peers',
    scope: 'admin:write',
    rateLimit: 'write',
    summary: 'Add a peer at run time; it is kept over restarts.',
    request: { body: newPeer },
    bodyDoc: peerSchema,
    status: 201,
    reply: peerView,
    errors: ['CONFLICT', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, body }) => ({ data: present(await services.peers.add(body)) }),
  }),
  route({
    method: 'GET',
    path: '/api/admin/peers/:id',
    scope: 'admin:read',
    rateLimit: 'read',
    summary: 'One peer.',
    request: { params: idParams },
    reply: peerView,
    errors: ['RESOURCE_NOT_FOUND'],
    handler: ({ services, params }) => {
      const peer = services.peers.get(params.id)
      if (peer === undefined) throw new ApiError('RESOURCE_NOT_FOUND', `there is no peer "${params.id}"`)
      return { data: present(peer) }
    },
  }),
  route({
    method: 'PATCH',
    path: '/api/admin/peers/:id',
    scope: 'admin:write',
    rateLimit: 'write',
    summary: 'Change fields of a peer.',
    description:
      'Only the fields given change. Limits and spread count from the next packet; a changed link reconnects.',
    request: { params: idParams, body: peerChanges },
    bodyDoc: peerSchema.omit({ id: true }).partial(),
    reply: peerView,
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'NOT_SUPPORTED', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, params, body }) => ({
      data: present(await services.peers.change(params.id, body)),
    }),
  }),
  route({
    method: 'DELETE',
    path: '/api/admin/peers/:id',
    scope: 'admin:write',
    rateLimit: 'write',
    summary: 'Disconnect and remove a peer; its account and history stay.',
    request: { params: idParams },
    reply: z.strictObject({ removed: identifier }),
    errors: ['RESOURCE_NOT_FOUND', 'CONFLICT', 'SERVICE_UNAVAILABLE'],
    handler: async ({ services, params }) => {
      await services.peers.remove(params.id)
      return { data: { removed: params.id } }
    },
  }),
]
