/** Why there is no picture of a file, or of one of its pages. */
export const renderFailures = ['ENCRYPTED', 'BROKEN', 'TOO_LARGE', 'TIMED_OUT', 'CRASHED'] as const;
export type RenderFailure = (typeof renderFailures)[number];

/** How a file is read: one way for each kind of decoder. */
export type SourceFormat = 'pdf' | 'tiff' | 'image' | 'svg';

/** A file of the local disk, and how it is read. */
export interface RenderSource {
  path: string;
  format: SourceFormat;
}

export interface PageRequest {
  /** From 1. */
  page: number;
  /** In pixels. The picture is at most as wide and at most MAX_RATIO times as high; a small original is not enlarged. */
  width: number;
}

export type Rendered = { status: 'RENDERED'; image: Uint8Array; pageCount: number };
export type NoSuchPage = { status: 'NO_SUCH_PAGE'; pageCount: number };
/** With a page count it is the page that cannot be shown, without one the file. */
export type Failed = { status: 'FAILED'; reason: RenderFailure; pageCount?: number };
export type RenderOutcome = Rendered | NoSuchPage | Failed;
export type CountOutcome = { status: 'COUNTED'; pageCount: number } | Failed;

/** A picture is at most so many times as high as it is wide. */
export const MAX_RATIO = 4;
