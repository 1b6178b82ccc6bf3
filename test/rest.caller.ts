import type { InjectOptions } from 'fastify';
import type { Actor, World } from './world.js';

/** What leads every object. */
export const six = ['id', 'tenant_id', 'created_by', 'updated_by', 'created_at', 'updated_at'];

export const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString();

export type Call = ReturnType<typeof restCaller>;

/** Calls REST as somebody, or as nobody; JSON is read. */
export const restCaller =
  ({ inject }: World, who: Actor | null) =>
  async (
    method: NonNullable<InjectOptions['method']>,
    url: string,
    payload?: InjectOptions['payload'],
    headers: InjectOptions['headers'] = {},
  ) => {
    const answer = await inject(who, { method, url, headers, ...(payload !== undefined && { payload }) });
    const isJson = String(answer.headers['content-type']).includes('json') && answer.body !== '';
    return { status: answer.statusCode, headers: answer.headers, body: isJson ? answer.json() : answer.body };
  };
