import type { IlpAddress } from './address.ts'

/** Destinations of the protocols between direct peers. Packets to `peer.` are answered here, never forwarded (RFC 15). */
export const PeerAddress = {
  /** ILDCP: a child asks its parent for its address and asset (RFC 31). */
  config: 'peer.config' as IlpAddress,
  /** CCP: a peer asks for our routes, or no longer wants them. */
  routeControl: 'peer.route.control' as IlpAddress,
  /** CCP: a peer tells its routes. */
  routeUpdate: 'peer.route.update' as IlpAddress,
  /** Messages between settlement engines (RFC 38). */
  settle: 'peer.settle' as IlpAddress,
} as const
