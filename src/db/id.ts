import { monotonicFactory } from 'ulid';

const next = monotonicFactory();

/** A new ULID: 26 characters, sortable by time, the same string on both doors. */
export const newId = (): string => next();

const shape = /^[a-zA-Z0-9._-]{8,40}$/;

/** Whether a text can be an id at all. What cannot is answered as "not found" without asking the database. */
export const isId = (text: string): boolean => shape.test(text);
