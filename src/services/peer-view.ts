import type { PeerView } from '../admin/services.ts'
import { redact } from '../config/redact.ts'
import type { NodeAddress } from '../forwarding/node-address.ts'
import type { Peer } from '../peers/peer-registry.ts'

/** A peer as operators see it. */
export function peerView(peer: Peer, address: NodeAddress): PeerView {
  const { account, settings, source } = peer
  const { ledger } = account
  const { routes } = settings
  const childAddress =
    account.addressSegment === undefined ? undefined : address.childAddress(account.addressSegment)
  return {
    id: account.id,
    relation: account.relation,
    source: source === 'admin' ? 'admin' : 'config',
    assetCode: account.asset.code,
    assetScale: account.asset.scale,
    plugin: settings.link.plugin,
    ilpAddress: childAddress ?? routes[0],
    link: account.link?.status() ?? { connected: false },
    balance: ledger.balance.toString(),
    reserved: ledger.reserved.toString(),
    creditLimit: ledger.creditLimit.toString(),
    payableLimit: settings.payableLimit,
    packetsInFlight: account.packetsInFlight,
    settings: redact(settings),
  }
}
