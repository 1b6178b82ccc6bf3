import { shareScene } from './share.scene.js';
import { useWorld } from './world.js';

export const browserAccept = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8';
export const text = (name: string) => ({ name, bytes: 'Some text.\n', type: 'text/plain' });

/** A gateway whose shares are opened as a browser does. */
export function usePages() {
  const world = useWorld();
  const get = (url: string, headers: Record<string, string> = {}) => world().inject(null, { method: 'GET', url, headers });
  const open = (url: string, headers: Record<string, string> = {}) => get(url, { accept: browserAccept, ...headers });
  const scene = (options?: Parameters<typeof shareScene>[1]) => shareScene(world(), options);
  return { world, get, open, scene };
}
