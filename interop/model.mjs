// A language model that is not ours: aimock, which speaks OpenAI's interface. It says what the environment variable OPTIONS
// holds, a list of replies in the order in which it is asked, and tells where it listens. What stands in a reply as "fixture"
// says how it is sent, such as cut.

import { LLMock } from '@copilotkit/aimock';

const replies = JSON.parse(process.env.OPTIONS);
const mock = new LLMock({ port: 0, host: '127.0.0.1' });
replies.forEach(({ fixture, ...response }, turnIndex) => mock.addFixture({ match: { turnIndex }, response, ...fixture }));
await mock.start();
console.log(JSON.stringify({ url: mock.url + '/v1' }));
process.stdin.resume(); // until whoever started it ends
process.stdin.on('end', () => process.exit(0));
