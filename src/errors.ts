/**
 * The one list of what can go wrong, and the one table from code to HTTP status. GraphQL shows the code,
 * REST the status and body of the contract. A message says what to do next and names nothing internal.
 */
export const statusByCode = {
  BAD_REQUEST: 400,
  VALIDATION_FAILED: 400,
  STORAGE_REFUSED: 400,
  FILE_INFECTED: 400,
  PERSISTED_QUERY_NOT_FOUND: 400,
  UNAUTHENTICATED: 401,
  TOKEN_INVALID: 401,
  PASSWORD_REQUIRED: 401,
  FORBIDDEN: 403,
  CSRF_HEADER_MISSING: 403,
  DOCUMENT_NOT_TRUSTED: 403,
  NOT_YET: 403,
  NOT_FOUND: 404,
  NO_PREVIEW: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  GONE: 410,
  PRECONDITION_FAILED: 412,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RANGE_NOT_SATISFIABLE: 416,
  LOCKED: 423,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const;

export type ErrorCode = keyof typeof statusByCode;

/** One input field that is wrong: its path in camelCase ("input.tags.0") and what to do about it. */
export interface FieldIssue {
  path: string;
  message: string;
}

/** An expected failure. Anything else that is thrown is a fault: logged once and masked. */
export class DomainError extends Error {
  override readonly name: string = 'DomainError';
  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
  get status(): number {
    return statusByCode[this.code];
  }
}

export class ValidationError extends DomainError {
  override readonly name = 'ValidationError';
  constructor(readonly fields: FieldIssue[]) {
    super('VALIDATION_FAILED', fields.map((f) => (f.path ? `${f.path}: ${f.message}` : f.message)).join('; '));
  }
}

export class NotFoundError extends DomainError {
  override readonly name = 'NotFoundError';
}

export class ForbiddenError extends DomainError {
  override readonly name = 'ForbiddenError';
}

export class ConflictError extends DomainError {
  override readonly name = 'ConflictError';
  /** @param currentVersion the version that stands now, where the conflict is one of versions */
  constructor(
    message: string,
    readonly currentVersion: number | null = null,
  ) {
    super('CONFLICT', message);
  }
}

export const goneReasons = ['EXPIRED', 'REVOKED', 'USED_UP', 'DOCUMENT_UNAVAILABLE', 'FILE_UNAVAILABLE', 'NOT_YET'] as const;
export type GoneReason = (typeof goneReasons)[number];

/** A share that does not open. All reasons are GONE (410) but NOT_YET (403): clients take 410 for the end of a link. */
export class ShareGoneError extends DomainError {
  override readonly name = 'ShareGoneError';
  /** @param opensAt when to come again, for NOT_YET */
  constructor(
    readonly reason: GoneReason,
    message: string,
    readonly opensAt: Date | null = null,
  ) {
    super(reason === 'NOT_YET' ? 'NOT_YET' : 'GONE', message);
  }
}

export class PasswordRequiredError extends DomainError {
  override readonly name = 'PasswordRequiredError';
}

export class RateLimitedError extends DomainError {
  override readonly name = 'RateLimitedError';
  /** @param retryAfter in seconds */
  constructor(
    message: string,
    readonly retryAfter: number,
  ) {
    super('RATE_LIMITED', message);
  }
}

export class PayloadTooLargeError extends DomainError {
  override readonly name = 'PayloadTooLargeError';
  /** @param limit in the unit the message names (bytes or files) */
  constructor(
    message: string,
    readonly limit: number,
  ) {
    super('PAYLOAD_TOO_LARGE', message);
  }
}

/** A file in which the virus scanner found something. In a document that is there it is kept as evidence, never served. */
export class FileInfectedError extends DomainError {
  override readonly name = 'FileInfectedError';
  /** @param kept whether it went into quarantine */
  constructor(
    readonly fileName: string,
    kept = true,
  ) {
    const rest = kept ? 'It is in quarantine and nothing else was stored.' : 'Nothing was stored. Send the request without it.';
    super('FILE_INFECTED', `The virus scanner found something in "${fileName}". ${rest}`);
  }
}

/** Why a store did not do as asked. `unknown` never means "the object is missing". */
export const storageFailures = [
  'MISCONFIGURED',
  'UNREACHABLE',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'NO_BUCKET',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'CHANGED',
  'UNSUPPORTED',
  'UNKNOWN',
] as const;
export type StorageFailure = (typeof storageFailures)[number];

export class StorageError extends DomainError {
  override readonly name = 'StorageError';
  constructor(
    readonly reason: StorageFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super(reason === 'UNREACHABLE' || reason === 'UNKNOWN' ? 'UNAVAILABLE' : 'STORAGE_REFUSED', message, options);
  }
}

const noPreview = {
  UNSUPPORTED: 'Files of this type have no preview.',
  ENCRYPTED: 'The file is protected by a password and has no preview.',
  BROKEN: 'The file is damaged, or not what its type says, and has no preview.',
  TOO_LARGE: 'The file is too large for a preview.',
  TIMED_OUT: 'The file takes too long to draw and has no preview.',
  CRASHED: 'The file could not be drawn and has no preview.',
} as const;

/** There is no picture of a file that can be read all the same. */
export class NoPreviewError extends DomainError {
  override readonly name = 'NoPreviewError';
  constructor(readonly reason: keyof typeof noPreview) {
    super('NO_PREVIEW', `${noPreview[reason]} Download it to see it.`);
  }
}

export const unauthenticated = () =>
  new DomainError('UNAUTHENTICATED', 'Authentication credentials were not provided. Send "Authorization: Bearer <token>".');
export const tokenInvalid = () => new DomainError('TOKEN_INVALID', 'The token is not valid or has expired. Get a new one.');
export const forbidden = (scope: string) =>
  new ForbiddenError('FORBIDDEN', `You do not have permission to perform this action. It needs the scope ${scope}.`);
/** Also the answer for another tenant's object: whoever asks cannot tell the two apart. */
export const notFound = (what: string) => new NotFoundError('NOT_FOUND', `${what} not found. Check the id.`);
export const invalid = (path: string, message: string) => new ValidationError([{ path, message }]);
export const versionConflict = (expected: number, current: number) =>
  new ConflictError(
    `The object changed meanwhile: you expected version ${expected}, it is at ${current}. Read it again and retry.`,
    current,
  );
export const unavailable = (message: string, options?: ErrorOptions) => new DomainError('UNAVAILABLE', message, options);
