// What the TypeScript client's own authorization code makes of a refusal. Options, in the environment variable OPTIONS:
//
//   library   "client" or "sdk"
//   url       of the MCP endpoint, asked with neither token nor session
//   request   the JSON-RPC request to send
//   token     to send with it, if any

import { load } from './library.mjs';
import { tell, tellError } from './events.mjs';

const options = JSON.parse(process.env.OPTIONS);
const library = await load(options.library);

try {
  const response = await fetch(options.url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/json, text/event-stream',
      ...(options.token && { Authorization: `Bearer ${options.token}` }),
    },
    body: JSON.stringify(options.request),
  });
  const { resourceMetadataUrl, scope, error } = library.extractWWWAuthenticateParams(response);
  tell('challenge', {
    status: response.status, header: response.headers.get('WWW-Authenticate'), body: await response.text(),
    resourceMetadata: resourceMetadataUrl && String(resourceMetadataUrl), scope, error,
  });
  // Once with the URL of the challenge, once by the well-known path alone: a client may do either.
  for (const found of [{ resourceMetadataUrl }, {}]) {
    tell('resource', { metadata: await library.discoverOAuthProtectedResourceMetadata(options.url, found) });
  }
  const info = await library.discoverOAuthServerInfo(options.url, { resourceMetadataUrl });
  tell('authorization-server', { url: info.authorizationServerUrl, metadata: info.authorizationServerMetadata });
} catch (err) {
  tellError('discover', err);
}
