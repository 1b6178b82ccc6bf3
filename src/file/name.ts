/** The longest name that file systems take, in bytes of UTF-8. */
const maxNameBytes = 255;

/** A file name that no system takes for a path, a command or another name than it shows. Keeps its extension when it is cut. */
export function safeName(name: string): string {
  // Through UTF-8 and back, lone surrogates become U+FFFD.
  const wellFormed = Buffer.from(name, 'utf8').toString('utf8');
  const visible = wellFormed
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '')
    .replace(/[/\\]/g, '_')
    .trim();
  return /^\.*$/.test(visible) ? 'file' : cutName(visible, '');
}

/** What Windows takes for devices, whatever the extension. */
const device = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)/i;

/**
 * Names for files that are unpacked into one folder, on any system, in the order given. Of those that some system takes
 * for the same (another case, another spelling of an accent) the later ones get a number: `a.pdf`, `A (2).pdf`.
 */
export function distinctNames(names: string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const portable = safeName(name)
      .replace(/[<>:"|?*]/g, '_')
      .replace(/[. ]+$/, '')
      .replace(device, '_$&');
    return untaken(portable || 'file', taken);
  });
}

function untaken(name: string, taken: Set<string>): string {
  const key = (candidate: string) => candidate.normalize('NFC').toLowerCase();
  let candidate = name;
  for (let number = 2; taken.has(key(candidate)); number++) candidate = cutName(name, ` (${number})`);
  taken.add(key(candidate));
  return candidate;
}

/** The name with a suffix before its extension, as long as file systems take it. */
function cutName(name: string, suffix: string): string {
  const [, stem = '', extension = ''] = /^(.+?)(\.[^.]{1,16})?$/su.exec(name) ?? [];
  return cutTo(stem, maxNameBytes - Buffer.byteLength(suffix + extension)) + suffix + extension;
}

/** As much of a text as fits into so many bytes of UTF-8, never half a character. */
function cutTo(text: string, bytes: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytes));
  return text.slice(0, read);
}
