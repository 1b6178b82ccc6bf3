import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const FORMAT = 1;
const KEY_ID = 4;
const NONCE = 12;
const TAG = 16;
const HEADER = 1 + KEY_ID + NONCE;

/** Which row a secret belongs to. It cannot be opened as another's: table, tenant and row are authenticated with it. */
export interface SecretOwner {
  table: string;
  tenantId: string;
  id: string;
}

interface Key {
  id: Buffer;
  cipher: Buffer;
}

/** Encrypts what must be readable again (AES-256-GCM). The first key encrypts, all decrypt. */
export class Secrets {
  private readonly keys: Key[];
  private readonly current: Key;

  /** @param keys base64 of 32 bytes each, the current one first */
  constructor(keys: string[]) {
    this.keys = keys.map((text) => {
      const master = Buffer.from(text, 'base64');
      return { id: createHash('sha256').update(master).digest().subarray(0, KEY_ID), cipher: derive(master, 'docgate secrets') };
    });
    const [current] = this.keys;
    if (!current) throw new Error('no key to encrypt secrets with');
    this.current = current;
  }

  /** Format, key id, nonce, tag, ciphertext. */
  seal(plain: string, owner: SecretOwner): Uint8Array<ArrayBuffer> {
    const nonce = randomBytes(NONCE);
    const cipher = createCipheriv('aes-256-gcm', this.current.cipher, nonce).setAAD(aad(owner));
    const body = [cipher.update(plain, 'utf8'), cipher.final()];
    return new Uint8Array(Buffer.concat([Buffer.of(FORMAT), this.current.id, nonce, cipher.getAuthTag(), ...body]));
  }

  /** Whether the first key encrypted it. */
  isCurrent(box: Uint8Array): boolean {
    return box[0] === FORMAT && this.current.id.equals(box.subarray(1, 1 + KEY_ID));
  }

  /** Throws when no key fits or the box was altered or moved to another row. */
  open(box: Uint8Array, owner: SecretOwner): string {
    const bytes = Buffer.from(box.buffer, box.byteOffset, box.byteLength);
    const id = bytes.subarray(1, 1 + KEY_ID);
    const key = this.keys.find((candidate) => candidate.id.equals(id));
    if (bytes[0] !== FORMAT || !key) throw new Error('a secret was encrypted with a key that is not in SECRETS_KEYS');
    const nonce = bytes.subarray(1 + KEY_ID, HEADER);
    const decipher = createDecipheriv('aes-256-gcm', key.cipher, nonce)
      .setAAD(aad(owner))
      .setAuthTag(bytes.subarray(HEADER, HEADER + TAG));
    return decipher.update(bytes.subarray(HEADER + TAG), undefined, 'utf8') + decipher.final('utf8');
  }
}

const aad = (owner: SecretOwner) => Buffer.from([owner.table, owner.tenantId, owner.id].join('\n'));

const derive = (master: Buffer, purpose: string) => Buffer.from(hkdfSync('sha256', master, '', purpose, 32));

/** Keys for signing links, one for each master key, the current one first. */
export const signingKeys = (keys: string[]): Buffer[] => keys.map((text) => derive(Buffer.from(text, 'base64'), 'docgate links'));
