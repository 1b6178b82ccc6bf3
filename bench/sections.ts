import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const path = join(import.meta.dirname, 'results.md');
const intro = '# Speed\n\n`npm run bench` wrote this page, each section when it was last measured as a whole.\n';

/** Puts a section into results.md in place of the one with its title; the others stay as they are. */
export function writeSection(title: string, text: string): void {
  const sections = existsSync(path) ? readSections(readFileSync(path, 'utf8')) : new Map<string, string>();
  sections.set(title, text);
  const written = [...sections].map(([name, body]) => `## ${name}\n\n${body.trim()}\n`);
  writeFileSync(path, `${intro}\n${written.join('\n')}`);
}

function readSections(page: string): Map<string, string> {
  const [, ...sections] = page.split(/^## /m);
  return new Map(
    sections.map((section) => {
      const end = section.indexOf('\n');
      return [section.slice(0, end), section.slice(end + 1)];
    }),
  );
}

/** A table in Markdown. */
export const markdown = (columns: string[], rows: string[][]): string =>
  [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
