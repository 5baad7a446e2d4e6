import react from '@vitejs/plugin-react'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

// The server that `npm run dev` asks: FASTMCP_AUTH_DEV names another than the default.
const server = process.env.FASTMCP_AUTH_DEV ?? 'http://127.0.0.1:8000'

// The server puts a fresh nonce where {{nonce}} stands. Each page's scripts are its own files; the nonce is for the style
// elements that the component library makes.
const nonce = (): Plugin => ({
  name: 'nonce',
  transformIndexHtml: {
    order: 'post',
    handler: (html, context) => (context.server ? html.replaceAll('{{nonce}}', '') : html.replace('<script type="module"', '<script nonce="{{nonce}}" type="module"')),
  },
})

export default defineConfig({
  plugins: [react(), nonce()],
  build: {
    target: 'es2023',
    manifest: true,
    chunkSizeWarningLimit: 2000, // build/finish.mjs has the budget that counts
    assetsInlineLimit: 0, // the policy allows no script or style in a page
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // Few files, each needed whole: what every page needs, what forms need, and each page's own.
        codeSplitting: {
          groups: [
            { name: 'form', test: /@rjsf|cfworker|lodash|markdown-to-jsx/, priority: 1 },
            { name: 'base', test: /node_modules.(react|react-dom|scheduler|@mantine|@tanstack|@floating-ui|clsx)\b/, priority: 2 },
          ],
        },
      },
      input: { console: 'index.html', docs: 'docs/index.html', back: 'docs/oauth2-redirect.html' },
    },
  },
  server: {
    proxy: Object.fromEntries(['/api/v1', '/api/openapi.json', '/console'].map((path) => [path, { target: server, changeOrigin: true, headers: { origin: server } }])),
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
})
