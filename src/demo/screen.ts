import type { DemoToken } from './tokens.js';

interface Screen {
  tokens: DemoToken[];
  /** The token of a share to look at. */
  share: string | null;
  graphiql: boolean;
}

/** What a developer sees after the start: where to go, a share to look at, tokens, and one line that works when pasted. */
export function startScreen(address: string, { tokens, share, graphiql }: Screen): string {
  const [first] = tokens;
  if (!first) return `Docgate is ready: ${address}/graphql\n`;
  const editor = tokens.find((token) => token.role === 'editor') ?? first;
  return [
    '',
    `  Docgate is ready${graphiql ? `. GraphiQL: ${address}/graphql` : ` at ${address}/graphql`}`,
    ...(share === null ? [] : ['', `  What outsiders see of a share: ${address}/s/${share}`]),
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
