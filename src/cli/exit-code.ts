/** How the process ends, for scripts. The numbers never change their meaning. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  configuration: 3,
  unreachable: 4,
  refused: 5,
  notDelivered: 6,
  unknownOutcome: 7,
  interrupted: 130,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** What each code says; the reference page is generated from it. */
export const EXIT_CODE_MEANINGS: Record<keyof typeof ExitCode, string> = {
  ok: 'Done.',
  failed: 'Something failed, or a check of `doctor` did.',
  usage: 'The command line is wrong: unknown command or option, missing or malformed argument.',
  configuration: 'The configuration or the secrets file cannot be used, or there is none.',
  unreachable: 'The node does not answer.',
  refused: 'The node answered and refused: no permission, no such thing, invalid, conflict.',
  notDelivered: 'A payment failed, or a ping did not reach its address.',
  unknownOutcome:
    'The connection or the time ran out, or the node ended, while a payment or change was under way: it may have happened.',
  interrupted: 'Interrupted by Ctrl-C before the end.',
}
