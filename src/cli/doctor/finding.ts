/** What one check of `doctor` found. */
export interface Finding {
  check: string
  status: 'ok' | 'warning' | 'failed'
  message: string
  /** What to do, when it is not ok. */
  fix?: string
}

export function ok(check: string, message: string): Finding {
  return { check, status: 'ok', message }
}

export function warning(check: string, message: string, fix: string): Finding {
  return { check, status: 'warning', message, fix }
}

export function failed(check: string, message: string, fix: string): Finding {
  return { check, status: 'failed', message, fix }
}
