import type { DemoToken } from './tokens.js';

/** What a developer sees after the start: where to go, tokens, and one line that works when pasted. */
export function startScreen(address: string, tokens: DemoToken[], graphiql: boolean): string {
  const [first] = tokens;
  if (!first) return `Docgate is ready: ${address}/graphql\n`;
  const editor = tokens.find((token) => token.role === 'editor') ?? first;
  return [
    '',
    `  Docgate is ready${graphiql ? `. GraphiQL: ${address}/graphql` : ` at ${address}/graphql`}`,
    '',
    '  Demo tokens, good for 30 days:',
    ...tokens.map(({ tenant, role, token }) => `\n  ${tenant}, ${role}:\n  ${token}`),
    '',
    '  Try it:',
    `  curl -s ${address}/graphql -H 'content-type: application/json' -H 'authorization: Bearer ${editor.token}' -d '{"query":"{ documents { totalCount nodes { name status } } }"}'`,
    '',
    '',
  ].join('\n');
}
