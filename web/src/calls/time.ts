import { useEffect, useState } from 'react'
import type { Call } from '../api/wire'

/** The time, told again each second while it matters. */
export function useNow(live: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!live) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 1000)
    return () => clearInterval(timer)
  }, [live])
  return now
}

/** How long a call has run. Clocks differ, so less than nothing is nothing. */
export const elapsed = (call: Call, now: number): string => span(Math.max(0, (call.ended ? Date.parse(call.ended) : now) - Date.parse(call.begun)))

export function span(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.floor(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`
}
