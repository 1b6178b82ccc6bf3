import { describe, expect, test } from 'vitest';
import { shareScene } from './share.scene.js';
import { useWorld } from './world.js';

const world = useWorld();
const PASSWORD = 'open sesame';
const made = () => shareScene(world(), { share: { password: PASSWORD } });

interface Attempt {
  token: string;
  password?: string;
  from?: string;
}

/** One attempt through each of the doors. */
const doors = {
  GraphQL: async ({ token, password = 'wrong', from }: Attempt) => {
    const query = `{ sharePreview(token: "${token}", password: "${password}") { ... on Error { code } ... on RateLimitedError { retryAfter } } }`;
    const answer = await world().inject(null, { method: 'POST', url: '/graphql', payload: { query }, remoteAddress: from });
    const { code = 'OPEN', retryAfter } = answer.json().data.sharePreview;
    if (code === 'RATE_LIMITED') expect(Number(answer.headers['retry-after'])).toBe(retryAfter);
    return { outcome: code, retryAfter };
  },
  REST: async ({ token, password = 'wrong', from }: Attempt) => {
    const headers = { 'x-share-password': password };
    return outcomeOf(await world().inject(null, { url: `/documents/preview/${token}/`, headers, remoteAddress: from }));
  },
  'the page': async ({ token, password = 'wrong', from }: Attempt) => {
    const payload = new URLSearchParams({ password }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return outcomeOf(await world().inject(null, { method: 'POST', url: `/s/${token}`, payload, headers, remoteAddress: from }));
  },
};
const outcomes: Record<number, string> = { 200: 'OPEN', 303: 'OPEN', 401: 'PASSWORD_REQUIRED', 429: 'RATE_LIMITED' };
const outcomeOf = ({ statusCode, headers }: { statusCode: number; headers: object }) => ({
  outcome: outcomes[statusCode] ?? String(statusCode),
  retryAfter: 'retry-after' in headers ? Number(headers['retry-after']) : undefined,
});
const names = Object.keys(doors) as (keyof typeof doors)[];

async function fail(times: number, attempt: Attempt) {
  for (let n = 0; n < times; n += 1) expect((await doors.REST(attempt)).outcome).toBe('PASSWORD_REQUIRED');
}
const attempts = (change: string, id: string) =>
  world().gateway.database.pool.query(`UPDATE share_attempts SET ${change} WHERE share_id = $1`, [id]);

describe('attempts at the password of a share', () => {
  test('count one by one, also when one request makes many', async () => {
    const { token } = await made();
    const tries = Array.from(
      { length: 12 },
      (_, n) => `a${n}: sharePreview(token: "${token}", password: "no ${n}") { ... on Error { code } }`,
    );
    const { data } = await world().graphql(null, `{ ${tries.join(' ')} }`);
    const codes = Object.values<{ code: string }>(data).map(({ code }) => code);
    expect(codes.sort()).toEqual([...Array(10).fill('PASSWORD_REQUIRED'), ...Array(2).fill('RATE_LIMITED')]);
  });

  test.each(names)('count over all doors together; the eleventh, through %s, is refused, the right password too', async (last) => {
    const { token } = await made();
    for (let n = 0; n < 10; n += 1) expect((await doors[names[n % 3] ?? last]({ token })).outcome).toBe('PASSWORD_REQUIRED');
    for (const password of ['wrong', PASSWORD]) {
      const { outcome, retryAfter } = await doors[last]({ token, password });
      expect(outcome).toBe('RATE_LIMITED');
      expect(retryAfter).toBeGreaterThan(0);
      expect(retryAfter).toBeLessThanOrEqual(15 * 60);
    }
  });

  test.each([
    ['another address', '203.0.113.7', '203.0.113.8', 'OPEN'],
    ['another address of the same IPv6 /64', '2001:db8:1:2::1', '2001:db8:1:2:ffff::1', 'RATE_LIMITED'],
    ['an address of another IPv6 /64', '2001:db8:1:2::1', '2001:db8:1:3::1', 'OPEN'],
    ['the same address, written as IPv6', '203.0.113.7', '::ffff:203.0.113.7', 'RATE_LIMITED'],
  ])('of one visitor stop no other: %s', async (_, guesser, visitor, outcome) => {
    const { token } = await made();
    await fail(10, { token, from: guesser });
    expect((await doors.REST({ token, from: guesser })).outcome).toBe('RATE_LIMITED');
    for (const name of names) expect((await doors[name]({ token, password: PASSWORD, from: visitor })).outcome).toBe(outcome);
  });

  test('of one share stop no other', async () => {
    const [one, other] = [await made(), await made()];
    await fail(10, one);
    expect((await doors.REST({ token: one.token })).outcome).toBe('RATE_LIMITED');
    expect((await doors.REST({ token: other.token, password: PASSWORD })).outcome).toBe('OPEN');
  });

  test('with the right password count nothing, and clear nothing', async () => {
    const { token } = await made();
    await fail(9, { token });
    for (let n = 0; n < 3; n += 1) expect((await doors.GraphQL({ token, password: PASSWORD })).outcome).toBe('OPEN');
    await fail(1, { token });
    expect((await doors.GraphQL({ token, password: PASSWORD })).outcome).toBe('RATE_LIMITED');
  });

  test('of all visitors together are 100', async () => {
    const { token, share } = await made();
    await fail(1, { token, from: '203.0.113.7' });
    await attempts("attempts = CASE WHEN id LIKE '% all' THEN 99 ELSE attempts END", share.id);
    await fail(1, { token, from: '203.0.113.8' });
    expect((await doors.REST({ token, from: '203.0.113.9' })).outcome).toBe('RATE_LIMITED');
  });

  test('are forgotten after 15 minutes', async () => {
    const { token, share } = await made();
    await fail(10, { token });
    await attempts("since = clock_timestamp() - interval '14 minutes'", share.id);
    expect((await doors.REST({ token, password: PASSWORD })).outcome).toBe('RATE_LIMITED');
    await attempts("since = clock_timestamp() - interval '16 minutes'", share.id);
    expect((await doors.REST({ token, password: PASSWORD })).outcome).toBe('OPEN');
  });
});
