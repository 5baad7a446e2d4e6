import { createTheme, type CSSVariablesResolver } from '@mantine/core'

// Every pair of colours that text stands in has a contrast of 4.5:1 or more; axe holds the pages to it in both schemes.
export const theme = createTheme({
  primaryColor: 'cyan',
  primaryShade: 9,
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, monospace',
  defaultRadius: 'md',
  cursorType: 'pointer',
  respectReducedMotion: true,
  headings: { fontWeight: '650', sizes: { h1: { fontSize: '1.6rem', lineHeight: '1.25' }, h2: { fontSize: '1.15rem', lineHeight: '1.35' } } },
})

export const resolver: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#4b555f',
    '--mantine-color-placeholder': '#5c666f',
    '--mantine-color-error': '#b42318',
    '--mantine-color-anchor': '#0b5f74',
    '--mantine-color-yellow-light-color': '#7a4100',
    '--mantine-color-cyan-filled-hover': '#08586a',
    '--mantine-primary-color-filled-hover': '#08586a',
    '--mantine-color-cyan-light-hover': '#e3fafc',
    '--mantine-primary-color-light-hover': '#e3fafc',
    '--mantine-color-body': '#ffffff',
    '--panel': '#f5f8f9',
    '--line': '#d5dde1',
  },
  dark: {
    '--mantine-color-cyan-filled-hover': '#08586a',
    '--mantine-primary-color-filled-hover': '#08586a',
    '--mantine-color-dimmed': '#b6bec5',
    '--mantine-color-placeholder': '#a3abb2',
    '--mantine-color-error': '#ff9b92',
    '--mantine-color-anchor': '#66d9e8',
    '--mantine-color-body': '#15191c',
    '--panel': '#1c2226',
    '--line': '#38424a',
  },
})
