// What each client takes. An address may hold anything, so it is written into JSON as JSON, and into commands quoted.

export type Client = { name: string; how: string; text: string }

export function clients(url: string, clientID?: string): Client[] {
  const json = (value: unknown) => JSON.stringify(value, null, 2)
  return [
    { name: 'Claude Code', how: 'Run this in a terminal, then type /mcp in Claude Code to sign in.', text: `claude mcp add --transport http tools ${quoted(url)}` },
    { name: 'Claude Desktop', how: 'Settings, Connectors, Add custom connector: paste the address. Where it asks for a configuration file, it is this.', text: json({ mcpServers: { tools: { command: 'fastmcp-auth', args: ['connect', url] } } }) },
    { name: 'VS Code', how: 'Save this as .vscode/mcp.json. VS Code signs in when the server is started.', text: json({ servers: { tools: { type: 'http', url } } }) },
    { name: 'Cursor', how: 'Save this as .cursor/mcp.json, in a project or at home.', text: json({ mcpServers: { tools: { url } } }) },
    { name: 'MCP Inspector', how: 'Run this to list the tools; it prints where to sign in. For its page leave everything away after its name, choose Streamable HTTP there, and paste the address.', text: `npx @modelcontextprotocol/inspector --cli ${quoted(url)} --transport http --method tools/list` },
    { name: 'fastmcp-auth', how: 'Our own command line: sign in once, then list and call.', text: [`fastmcp-auth login ${quoted(url)}${clientID ? ` --client-id ${quoted(clientID)}` : ''}`, `fastmcp-auth tools ${quoted(url)}`, `fastmcp-auth call ${quoted(url)} reverse_tool query=hello`].join('\n') },
  ]
}

/** A word of a POSIX shell. */
export const quoted = (word: string): string => (/^[A-Za-z0-9_./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
