import { serverAudits } from 'graphql-http';
import { describe, expect, test } from 'vitest';
import { useWorld } from './world.js';

const world = useWorld();

/** The audits of GraphQL over HTTP, over the app as it is. */
const audits = serverAudits({
  url: 'http://docgate/graphql',
  fetchFn: async (url: string, init: RequestInit = {}) => {
    const { pathname, search } = new URL(url);
    const response = await world().app.inject({
      method: init.method === 'POST' ? 'POST' : 'GET',
      url: pathname + search,
      headers: init.headers as Record<string, string>, // The audits pass plain objects.
      payload: init.body as string | undefined, // And texts.
    });
    const headers = Object.entries(response.headers).map(([name, value]): [string, string] => [name, String(value)]);
    return new Response(response.body, { status: response.statusCode, headers });
  },
});

describe('GraphQL over HTTP', () => {
  test('there are 61 audits', () => {
    expect(audits).toHaveLength(61);
  });

  test.each(audits.map((audit) => ({ name: audit.name, audit })))('$name', async ({ audit }) => {
    const result = await audit.fn();
    expect(result.status === 'ok' ? 'ok' : result).toBe('ok');
  });
});
