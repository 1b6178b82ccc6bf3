import Fastify from 'fastify';
import { expect, onTestFinished, test } from 'vitest';
import { EACH_TURN, takeTurns } from '../src/http/turns.js';

test('requests that come all at once begin a few in each turn of the event loop, in their order, and all are answered', async () => {
  const app = Fastify();
  onTestFinished(() => app.close());
  takeTurns(app);
  const turns: number[][] = [[]];
  app.get<{ Params: { number: string } }>('/:number', async ({ params }) => {
    turns.at(-1)?.push(Number(params.number));
    return params.number;
  });
  await app.ready();
  let counting = true;
  const count = () => {
    turns.push([]);
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  const numbers = Array.from({ length: 30 }, (_, index) => index);
  const answers = await Promise.all(numbers.map((number) => app.inject(`/${number}`)));
  counting = false;
  expect(answers.map(({ body }) => Number(body))).toEqual(numbers);
  expect(turns.flat()).toEqual(numbers);
  expect(Math.max(...turns.map(({ length }) => length))).toBe(EACH_TURN);
  // Whoever comes when nobody waits begins at once.
  expect((await app.inject('/30')).body).toBe('30');
});
