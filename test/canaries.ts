import type { Pool } from 'pg';

/** A secret that was planted, and what it is. */
export interface Canary {
  what: string;
  text: string;
}

/** How a secret can be written and still be read. */
export function formsOf(text: string): string[] {
  const bytes = Buffer.from(text);
  const url = encodeURIComponent(text);
  const json = JSON.stringify(text).slice(1, -1);
  // However often it was escaped, this much of it stays as it is.
  const cores = text.match(/[a-z0-9]{16,}/gi) ?? [];
  const escaped = text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
  return [
    ...new Set([
      text,
      ...cores,
      json,
      url,
      new URLSearchParams({ a: text }).toString().slice(2),
      escaped,
      ...base64Within(bytes),
      bytes.toString('hex'),
    ]),
  ];
}

/** As it looks in the middle of a longer text in base64: the letters that do not depend on what stands around it. */
function base64Within(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const shifted = Buffer.concat([Buffer.alloc(offset), bytes]);
    const from = Math.ceil((offset * 8) / 6);
    const inner = shifted.toString('base64').slice(from, Math.floor((shifted.length * 8) / 6));
    return [inner, inner.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** The secrets that a text shows, with a piece of it that does. */
export function foundIn(text: string, canaries: readonly Canary[]): string[] {
  const folded = text.toLowerCase();
  return canaries.flatMap(({ what, text: secret }) =>
    formsOf(secret)
      .filter((form) => folded.includes(form.toLowerCase()))
      .slice(0, 1)
      .map((form) => `${what}: ${around(text, folded.indexOf(form.toLowerCase()), form.length)}`),
  );
}

const around = (text: string, at: number, length: number) => text.slice(Math.max(0, at - 150), at + length + 50);

/** A text, and where it is from. */
export interface Told {
  name: string;
  text: string;
}

/** Which of these texts show which secrets. */
export const leaks = (places: Told[], canaries: readonly Canary[]) =>
  places.flatMap(({ name, text }) => foundIn(text, canaries).map((found) => `${name}: ${found}`));

/** All rows of all tables, as texts. */
export async function rowsOf(pool: Pool): Promise<Told[]> {
  const { rows: tables } = await pool.query<{ name: string }>(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
  );
  const all = [];
  for (const { name } of tables) {
    const { rows } = await pool.query<{ text: string }>(`SELECT t::text AS text FROM "${name}" t`);
    all.push({ name, text: rows.map(({ text }) => text).join('\n') });
  }
  return all;
}
