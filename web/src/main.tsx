import '@mantine/core/styles/baseline.css'
import '@mantine/core/styles/default-css-variables.css'
import '@mantine/core/styles/global.css'
import './shell/mantine.css'
import './shell/console.css'
import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Problem } from './api/http'
import { App } from './shell/App'
import { resolver, theme } from './shell/theme'

// The browser hides a nonce from style sheets, and shows it to scripts of the page alone.
const nonce = document.querySelector<HTMLScriptElement>('script[nonce]')?.nonce ?? ''

const client = new QueryClient({
  defaultOptions: {
    queries: { retry: (failures, error) => failures < 2 && error instanceof Problem && [0, 429, 502, 503, 504].includes(error.document.status), refetchOnWindowFocus: true },
  },
})

createRoot(document.getElementById('root') as HTMLElement).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <MantineProvider theme={theme} cssVariablesResolver={resolver} defaultColorScheme="auto" getStyleNonce={() => nonce}>
        <App />
      </MantineProvider>
    </QueryClientProvider>
  </StrictMode>,
)
