import type { Account } from '../forwarding/account.ts'
import type { RouteTable } from '../routing/route-table.ts'

export type RouteSource = 'config' | 'admin' | 'child' | 'default' | 'local'

export interface BookedRoute {
  /** Empty: the default route. */
  prefix: string
  account: Account
  source: RouteSource
}

/** Address schemes of RFC 15 that packets can be routed by. A node lives on one of them. */
const SCHEMES = ['g', 'private', 'example', 'test', 'test1', 'test2', 'test3', 'local', 'self']

/**
 * Which routes there are and why: those that an operator set, and those that follow from our address, our children
 * and our parent. For one prefix the operator's wins. Keeps the route table in step.
 */
export class RouteBook {
  readonly #table: RouteTable<Account>
  readonly #self: Account
  readonly #set = new Map<string, BookedRoute>()
  readonly #derived = new Map<string, BookedRoute>()
  /** Accounts with an address below ours, by segment. */
  readonly #segments = new Map<string, Account>()
  #ownAddress: string | undefined

  /** @param deps.self target of our own address */
  constructor(deps: { table: RouteTable<Account>; self: Account }) {
    this.#table = deps.table
    this.#self = deps.self
  }

  /** Routes of the operator and derived ones that are in force, without those to this node itself. */
  list(): BookedRoute[] {
    const derived = [...this.#derived.values()].filter(
      (route) => route.account !== this.#self && !this.#set.has(route.prefix),
    )
    return [...this.#set.values(), ...derived]
  }

  get(prefix: string): BookedRoute | undefined {
    return this.#set.get(prefix) ?? this.#derived.get(prefix)
  }

  /** Sets or replaces an operator's route. */
  put(prefix: string, account: Account, source: 'config' | 'admin'): void {
    this.#set.set(prefix, { prefix, account, source })
    this.#refresh(prefix)
  }

  /** False when no operator's route has this prefix. */
  remove(prefix: string): boolean {
    const removed = this.#set.delete(prefix)
    this.#refresh(prefix)
    return removed
  }

  /** Re-addresses everything below us; packets of other networks than ours find no way out. */
  setOwnAddress(address: string | undefined): void {
    const segments = [...this.#segments]
    if (this.#ownAddress !== undefined) {
      for (const [segment] of segments) this.#derive(`${this.#ownAddress}.${segment}`, undefined)
      this.#derive(this.#ownAddress, undefined)
    }
    const scheme = address?.split('.')[0]
    for (const other of SCHEMES)
      this.#derive(other, address === undefined || other === scheme ? undefined : this.#self)
    this.#ownAddress = address
    if (address === undefined) return
    this.#derive(address, this.#self)
    for (const [segment, account] of segments) this.#derive(`${address}.${segment}`, account)
  }

  addAccount(account: Account): void {
    if (account.relation === 'parent') this.#derive('', account)
    const { addressSegment } = account
    if (addressSegment === undefined) return
    this.#segments.set(addressSegment, account)
    if (this.#ownAddress !== undefined) this.#derive(`${this.#ownAddress}.${addressSegment}`, account)
  }

  /** Takes every route to the account out. */
  removeAccount(account: Account): void {
    if (account.addressSegment !== undefined) this.#segments.delete(account.addressSegment)
    for (const [prefix, route] of this.#derived)
      if (route.account === account) this.#derive(prefix, undefined)
    for (const [prefix, route] of this.#set) if (route.account === account) this.remove(prefix)
  }

  #derive(prefix: string, account: Account | undefined): void {
    if (account === undefined) this.#derived.delete(prefix)
    else this.#derived.set(prefix, { prefix, account, source: derivedSource(prefix, account) })
    this.#refresh(prefix)
  }

  #refresh(prefix: string): void {
    const route = this.get(prefix)
    if (route === undefined) this.#table.delete(prefix)
    else this.#table.set(prefix, route.account, route.source)
  }
}

function derivedSource(prefix: string, account: Account): RouteSource {
  if (prefix === '') return 'default'
  return account.relation === 'child' ? 'child' : 'local'
}
