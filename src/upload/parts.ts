import type { PartLimits } from '../blob/store.js';
import { invalid } from '../errors.js';

const MiB = 1024 * 1024;
/** One part of an upload over tus is held in memory. */
const USUAL = 8 * MiB;

/** How a file is cut: all parts but the last have the same size. */
export interface Cut {
  /** Of the file, in bytes. */
  size: bigint;
  /** Of each part but the last, in bytes. */
  partSize: bigint;
}

/** @param wanted by the client; what the store cannot take is refused. @returns in bytes */
export function partSizeFor(size: number, { minSize, maxSize, maxParts }: PartLimits, wanted?: number | null): number {
  const least = Math.max(minSize, Math.ceil(size / maxParts));
  if (wanted == null) return Math.max(least, USUAL);
  if (wanted < least || wanted > maxSize) throw invalid('partSize', `must be ${least} to ${maxSize} bytes for this file and its storage`);
  return wanted;
}

/** An empty file has one part, which is empty. */
export const countParts = ({ size, partSize }: Cut): number => Math.max(1, Math.ceil(Number(size) / Number(partSize)));

/** Where a part begins in the file. @param number from 1 */
export const partOffset = ({ partSize }: Cut, number: number): number => (number - 1) * Number(partSize);

/** In bytes. @param number from 1 */
export const partLength = (cut: Cut, number: number): number => Math.min(Number(cut.partSize), Number(cut.size) - partOffset(cut, number));

/** The numbers of all parts, in order. */
export const partNumbers = (cut: Cut): number[] => Array.from({ length: countParts(cut) }, (_, index) => index + 1);
