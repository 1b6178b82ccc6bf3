import type { InjectOptions } from 'fastify';
import type { Actor, World } from './world.js';

export type Call = ReturnType<typeof restCaller>;

/** Calls REST as somebody, or as nobody; JSON is read. */
export const restCaller =
  ({ inject }: World, who: Actor | null) =>
  async (method: NonNullable<InjectOptions['method']>, url: string, payload?: object, headers: InjectOptions['headers'] = {}) => {
    const answer = await inject(who, { method, url, headers, ...(payload && { payload }) });
    const isJson = String(answer.headers['content-type']).includes('json') && answer.body !== '';
    return { status: answer.statusCode, headers: answer.headers, body: isJson ? answer.json() : answer.body };
  };
