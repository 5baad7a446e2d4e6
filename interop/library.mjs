// The official TypeScript client exists twice: @modelcontextprotocol/client speaks both protocol eras,
// @modelcontextprotocol/sdk is the older line that most programs in the field still use. load gives either under the same
// names, as it was published.

export async function load(name) {
  switch (name) {
    case 'client':
      return { ...(await import('@modelcontextprotocol/client')), ...(await import('@modelcontextprotocol/client/stdio')) };
    case 'sdk': {
      const parts = await Promise.all([
        import('@modelcontextprotocol/sdk/client/index.js'),
        import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
        import('@modelcontextprotocol/sdk/client/stdio.js'),
        import('@modelcontextprotocol/sdk/client/auth.js'),
        import('@modelcontextprotocol/sdk/client/auth-extensions.js'),
      ]);
      return Object.assign({}, ...parts);
    }
    default:
      throw new Error(`no client library is called ${name}`);
  }
}

// connectOptions asks the library to speak one protocol version. The older line knows no such option: it offers the
// newest version it has.
export function connectOptions(name, version) {
  if (name === 'sdk' || !version) return {};
  if (version === 'auto') return { versionNegotiation: { mode: 'auto' } };
  if (version >= '2026') return { versionNegotiation: { mode: { pin: version } } };
  return { versionNegotiation: { mode: 'legacy' }, supportedProtocolVersions: [version] };
}
