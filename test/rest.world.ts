import { type Call, restCaller } from './rest.caller.js';
import { type Actor, useWorld } from './world.js';

/** A gateway that is called over REST. */
export function useRest() {
  const world = useWorld();

  const send = (actor: Actor | null, ...request: Parameters<Call>) => restCaller(world(), actor)(...request);

  async function made(actor: Actor, name = 'Passport') {
    return (await send(actor, 'POST', '/documents/', { name })).body;
  }

  return { world, send, made };
}
