// An MCP client in TypeScript: connects, lists the tools, calls what it is told to call, and tells what it saw.
// Its options are one JSON object in the environment variable OPTIONS:
//
//   library   "client" or "sdk"                       version  protocol version to ask for, or "auto"
//   url       of the MCP endpoint                     as       "token", "service", "person" or nothing
//   calls     [{name, arguments}], made all at once   cancel   give up each call after its first sign of progress
//   again     spoil the access token after the calls, then make them once more

import { connectOptions, load } from './library.mjs';
import { provider } from './providers.mjs';
import { tell, tellError } from './events.mjs';

const options = JSON.parse(process.env.OPTIONS);
const library = await load(options.library);
const credentials = await provider(library, options);
const identity = { name: 'typescript-client-under-test', version: '1.0.0' };

let step = 'connect';
let client;
try {
  client = await connect();
  step = 'list';
  await list();
  step = 'call';
  await callAll();
  if (options.again) {
    credentials.spoil();
    await callAll();
  }
} catch (err) {
  tellError(step, err);
} finally {
  await client?.close();
  credentials?.close?.();
}

// connect signs in when the server asks for it, as the library's documentation shows: the first attempt ends with
// UnauthorizedError once the browser is on its way, the second comes after it has been back.
async function connect() {
  const first = newTransport();
  const client = newClient();
  try {
    await client.connect(first);
    return ready(client, first);
  } catch (err) {
    if (options.as !== 'person' || !(err instanceof library.UnauthorizedError)) throw err;
  }
  await finish(first);
  const second = newTransport();
  const signedIn = newClient();
  await signedIn.connect(second);
  return ready(signedIn, second);
}

async function finish(transport) {
  const callback = await credentials.callback();
  await transport.finishAuth(options.library === 'sdk' ? callback.get('code') : callback);
}

function newClient() {
  return new library.Client(identity, { capabilities: {}, ...connectOptions(options.library, options.version) });
}

function newTransport() {
  // The older line has no token-only provider: its programs set the header themselves.
  const transport = options.library === 'sdk' && options.as === 'token'
    ? { requestInit: { headers: { Authorization: `Bearer ${options.token}` } } }
    : { authProvider: credentials };
  return new library.StreamableHTTPClientTransport(new URL(options.url), transport);
}

function ready(client, transport) {
  const version = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion;
  tell('connected', { version, session: transport.sessionId ?? null, server: client.getServerVersion() });
  return client;
}

async function list() {
  const { tools } = await client.listTools();
  tell('tools', { tools: tools.map((t) => t.name) });
}

async function callAll() {
  await Promise.all((options.calls ?? []).map((call, index) => makeCall(call, index)));
}

async function makeCall(call, index) {
  const abort = new AbortController();
  const onprogress = ({ progress, total, message }) => {
    tell('progress', { index, progress, total, message });
    if (options.cancel) abort.abort('seen enough');
  };
  const requestOptions = { onprogress, signal: abort.signal };
  try {
    const result = options.library === 'sdk'
      ? await client.callTool(call, undefined, requestOptions)
      : await client.callTool(call, requestOptions);
    tell('result', { index, isError: Boolean(result.isError), structured: result.structuredContent, content: result.content });
  } catch (err) {
    tellError('call', err);
  }
}
