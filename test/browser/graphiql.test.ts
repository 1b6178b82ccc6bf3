import { afterAll, beforeAll, expect, test } from 'vitest';
import { seed } from '../../prisma/seed.js';
import { exampleTabs } from '../../src/demo/examples.js';
import { demoTenants } from '../../src/demo/tenants.js';
import { appOf } from '../../src/gateway.js';
import { useWorld } from '../world.js';
import { describeInBrowser, useBrowser } from './chromium.js';

describeInBrowser('GraphiQL', () => {
  const world = useWorld();
  const browser = useBrowser();
  let address = '';
  let close = async () => {};

  beforeAll(async () => {
    const { gateway, actor } = world();
    await seed(gateway.services);
    const app = await appOf(gateway, exampleTabs(actor('admin', demoTenants[0].id).token));
    address = await app.listen({ port: 0, host: '127.0.0.1' });
    close = () => app.close();
  });
  afterAll(() => close());

  test('opens without asking anyone else, with a tab for each step, and the first example shows data', async () => {
    const page = await browser().newPage();
    const requested: string[] = [];
    page.on('request', (request) => requested.push(request.url()));
    await page.goto(`${address}/graphql`);
    await page.click('.graphiql-execute-button');
    // The editor writes spaces as no-break spaces.
    const shown = async () => (await page.locator('.result-window').innerText()).replaceAll('\u00a0', ' ');
    await expect.poll(shown, { timeout: 20_000 }).toContain('"name": "Proof of address"');
    const tabs = await page.locator('.graphiql-tab-button').allTextContents();
    expect(tabs).toEqual(['Documents', 'CreateDocument', 'Approve', 'Share', 'OpenShare', 'Tree']);
    const foreign = requested.filter((url) => /^(https?|wss?):/.test(url) && !url.startsWith(address));
    expect(foreign).toEqual([]);
  });

  test('each example is a valid operation', async () => {
    const { graphql, actor } = world();
    const admin = actor('admin', demoTenants[0].id);
    for (const { query, variables } of exampleTabs(null).tabs) {
      const { errors, data } = await graphql(admin, query, variables ? JSON.parse(variables) : undefined);
      expect(errors).toBeUndefined();
      expect(data).toBeTruthy();
    }
  });
});
