// An MCP client in TypeScript: connects, lists the tools, calls what it is told to call, and tells what it saw.
// Its options are one JSON object in the environment variable OPTIONS:
//
//   library   "client" or "sdk"                       version  protocol version to ask for, or "auto"
//   url       of the MCP endpoint                     as       "token", "service", "person" or nothing
//   command   [program, …arguments] to start and speak stdio with, in place of url; env its environment
//   calls     [{name, arguments}], made all at once   cancel   give up each call after its first sign of progress
//   scope     for a person: what to ask for at first, instead of what the server's challenge names
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
let transport;
try {
  await connect();
  step = 'list';
  await list();
  step = 'call';
  await callAll();
  // A round trip after the cancelling, so that word of it is out before the connection closes.
  if (options.cancel) await client.listTools(undefined, { cacheMode: 'refresh' });
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
  open();
  try {
    if (options.scope && options.as === 'person') await askFirst();
    await client.connect(transport);
  } catch (err) {
    if (!sentAway(err)) throw err;
    await comeBack();
    open();
    await client.connect(transport);
  }
  const version = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? null;
  tell('connected', { version, session: transport.sessionId ?? null, server: client.getServerVersion() });
}

function open() {
  client = new library.Client(identity, { capabilities: {}, ...connectOptions(options.library, options.version) });
  if (options.command) {
    const [command, ...args] = options.command;
    transport = new library.StdioClientTransport({ command, args, env: options.env, stderr: 'inherit' });
    return;
  }
  // The older line has no token-only provider: its programs set the header themselves.
  const how = options.library === 'sdk' && options.as === 'token'
    ? { requestInit: { headers: { Authorization: `Bearer ${options.token}` } } }
    : { authProvider: credentials };
  transport = new library.StreamableHTTPClientTransport(new URL(options.url), how);
}

// askFirst signs in before the first request, for the scope of the options.
async function askFirst() {
  await library.auth(credentials, { serverUrl: options.url, scope: options.scope });
  await comeBack();
}

// sentAway reports whether an error means that a person was sent to a browser.
function sentAway(err) {
  return options.as === 'person' && err instanceof library.UnauthorizedError;
}

// comeBack waits for the browser and redeems the code it brought.
async function comeBack() {
  const callback = await credentials.callback();
  await transport.finishAuth(options.library === 'sdk' ? callback.get('code') : callback);
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
  const ask = () => options.library === 'sdk'
    ? client.callTool(call, undefined, { onprogress, signal: abort.signal })
    : client.callTool(call, { onprogress, signal: abort.signal });
  try {
    const result = await ask().catch(async (err) => {
      if (!sentAway(err)) throw err;
      await comeBack(); // the call needs more than the token allows, and the person was asked for it
      return await ask();
    });
    tell('result', { index, isError: Boolean(result.isError), structured: result.structuredContent, content: result.content });
  } catch (err) {
    tellError('call', err);
  }
}
