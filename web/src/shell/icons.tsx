// A few lines each, drawn here: no font, no library.
import type { SVGProps } from 'react'

const icon = (path: string) => (props: SVGProps<SVGSVGElement>) => (
  <svg viewBox="0 0 24 24" width="18" height="18" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeLinejoin="round" aria-hidden focusable="false" {...props}>
    <path d={path} />
  </svg>
)

export const ToolIcon = icon('M4 17l6-5-6-5M12 19h8')
export const CallsIcon = icon('M12 7v5l3 2M21 12a9 9 0 1 1-3-6.700L21 8M21 3v5h-5')
export const BookIcon = icon('M4 5.500A2.5 2.5 0 0 1 6.5 3H20v18H6.500A2.5 2.5 0 0 1 4 18.500zM4 18.500A2.5 2.5 0 0 1 6.5 16H20')
export const PersonIcon = icon('M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0')
export const PlugIcon = icon('M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4')
export const GearIcon = icon('M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4')
export const RemoveIcon = icon('M6 6l12 12M18 6L6 18')
export const UpIcon = icon('M6 15l6-6 6 6')
export const DownIcon = icon('M6 9l6 6 6-6')
export const MenuIcon = icon('M4 7h16M4 12h16M4 17h16')
export const LeaveIcon = icon('M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9')
export const DocsIcon = icon('M14 3v5h5M6 3h8l5 5v13H6zM9 13h6M9 17h6')
export const LockIcon = icon('M7 11V8a5 5 0 0 1 10 0v3M5 11h14v10H5z')
