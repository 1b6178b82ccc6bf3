import { describe, expect, test } from 'vitest';
import { type Scope, scopes } from '../src/auth/viewer.js';
import { type Outcome, type Surface, surfacesOf } from './surfaces.js';
import type { Actor, World } from './world.js';

/** An act on objects that a test made before, and the scopes that it takes, no more and no fewer. */
export interface Right<Objects> {
  act: string;
  takes: Scope[];
  run(surface: Surface, who: Actor | null, of: Objects): Promise<Outcome<unknown>>;
  /** What another tenant's admin is answered; NOT_FOUND unless it says otherwise. */
  stranger?: object;
}

/** Who may: nobody without a token, nobody without one of the scopes, whoever has them all, and no one of another tenant. */
export function testRights<Objects>(
  world: () => World,
  rights: Right<Objects>[],
  make: (surface: Surface, admin: Actor) => Promise<Objects>,
) {
  describe.each(surfacesOf(world))('who may, over $name', (surface) => {
    test.each(rights)('$act takes $takes', async ({ run, takes, stranger = { code: 'NOT_FOUND' } }) => {
      const { actor } = world();
      const admin = actor('admin');
      const of = await make(surface, admin);
      expect(await run(surface, null, of)).toEqual({ code: 'UNAUTHENTICATED' });
      for (const missing of takes) {
        const others = scopes.filter((scope) => scope !== missing);
        expect(await run(surface, actor(others, admin.tenantId), of), `without ${missing}`).toEqual({ code: 'FORBIDDEN' });
      }
      expect(await run(surface, actor('admin'), of), "another tenant's admin").toMatchObject(stranger);
      expect(await run(surface, actor(takes, admin.tenantId), of), 'with just these').toHaveProperty('value');
    });
  });
}
