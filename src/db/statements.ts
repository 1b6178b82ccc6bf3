import { createHash } from 'node:crypto';

const statementNames = new Map<string, string>();

/** One name per text, so that each connection prepares it once. Past 2000 texts none: they would fill the server's memory. */
export function statementName({ sql }: { sql: string }): string {
  const known = statementNames.get(sql);
  if (known !== undefined) return known;
  if (statementNames.size >= 2000) return '';
  const name = `p${createHash('sha1').update(sql).digest('hex').slice(0, 24)}`;
  statementNames.set(sql, name);
  return name;
}
