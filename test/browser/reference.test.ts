import { beforeAll, expect, test } from 'vitest';
import { useWorld } from '../world.js';
import { describeInBrowser, useBrowser } from './chromium.js';

describeInBrowser('/docs/', () => {
  const world = useWorld();
  const browser = useBrowser();
  let address = '';

  beforeAll(async () => {
    address = await world().app.listen({ port: 0, host: '127.0.0.1' });
  });

  test('shows every operation without asking anyone else, and tries one out with a token', async () => {
    const page = await browser().newPage();
    const requested: string[] = [];
    page.on('request', (request) => requested.push(request.url()));
    const refused: string[] = [];
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) refused.push(message.text());
    });
    await page.goto(`${address}/docs/`);
    const { paths } = (await world().inject(null, { url: '/openapi.json' })).json<{ paths: Record<string, object> }>();
    const described = Object.values(paths).flatMap((path) => Object.keys(path));
    await expect.poll(() => page.locator('.opblock').count(), { timeout: 20_000 }).toBe(described.length);

    await page.click('button.authorize');
    await page.fill('.auth-container input', world().actor('viewer').token);
    await page.click('.auth-btn-wrapper button.authorize');
    await page.click('.auth-btn-wrapper button.btn-done');
    const list = page.locator('.opblock', { has: page.locator('[data-path="/categories/"]') }).filter({ hasText: 'GET' });
    await list.locator('.opblock-summary-control').click();
    await list.locator('button.try-out__btn').click();
    await list.locator('button.execute').click();
    await expect
      .poll(() => list.locator('.live-responses-table .response-col_status').last().innerText(), { timeout: 20_000 })
      .toMatch(/^200/);
    expect(requested.filter((url) => /^(https?|wss?):/.test(url) && !url.startsWith(address))).toEqual([]);
    expect(refused).toEqual([]);
  });
});
