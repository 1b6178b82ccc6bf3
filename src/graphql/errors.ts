import {
  ConflictError,
  type DomainError,
  type ErrorCode,
  type FieldIssue,
  FileInfectedError,
  ForbiddenError,
  goneReasons,
  NotFoundError,
  PasswordRequiredError,
  PayloadTooLargeError,
  RateLimitedError,
  ShareGoneError,
  StorageError,
  statusByCode,
  storageFailures,
  ValidationError,
} from '../errors.js';
import { builder } from './builder.js';

const codes = Object.keys(statusByCode) as [ErrorCode, ...ErrorCode[]]; // The keys of a literal object are its codes.
const ErrorCodeEnum = builder.enumType('ErrorCode', { description: 'What went wrong, for programs.', values: codes });

const ErrorInterface = builder.interfaceRef<DomainError>('Error').implement({
  description: 'An expected failure. Select `... on Error { code message }` on every mutation.',
  fields: (t) => ({
    code: t.expose('code', { type: ErrorCodeEnum, description: 'For programs.' }),
    message: t.exposeString('message', { description: 'For people: what is wrong and what to do.' }),
  }),
});
const interfaces = [ErrorInterface];

const FieldIssueType = builder.objectRef<FieldIssue>('FieldIssue').implement({
  description: 'One part of the input that is wrong.',
  fields: (t) => ({
    path: t.exposeString('path', { description: 'Which part, such as `name` or `tags.0`.' }),
    message: t.exposeString('message', { description: 'What is wrong with it.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  interfaces,
  description: 'The input does not fit; nothing was changed.',
  fields: (t) => ({ fields: t.expose('fields', { type: [FieldIssueType], description: 'All that is wrong, at once.' }) }),
});
builder.objectType(NotFoundError, { name: 'NotFoundError', interfaces, description: 'No such object in your tenant.' });
builder.objectType(ForbiddenError, { name: 'ForbiddenError', interfaces, description: 'The token does not allow this.' });
builder.objectType(ConflictError, {
  name: 'ConflictError',
  interfaces,
  description: 'The object is not in the state or version that this needs; nothing was changed.',
  fields: (t) => ({
    currentVersion: t.exposeInt('currentVersion', { nullable: true, description: 'The version it has now.' }),
  }),
});
builder.objectType(PayloadTooLargeError, {
  name: 'PayloadTooLargeError',
  interfaces,
  description: 'A file is too large or there are too many; nothing was stored.',
  fields: (t) => ({ limit: t.exposeFloat('limit', { description: 'The limit, in the unit that the message names.' }) }),
});

builder.objectType(FileInfectedError, {
  name: 'FileInfectedError',
  interfaces,
  description: 'The virus scanner found something in a file. It is in quarantine: kept as evidence, never served. Nothing else was stored.',
  fields: (t) => ({ fileName: t.exposeString('fileName', { description: 'Which file.' }) }),
});

const StorageFailureEnum = builder.enumType('StorageFailure', {
  description: 'Why a storage did not do as asked.',
  values: storageFailures,
});
builder.objectType(StorageError, {
  name: 'StorageError',
  interfaces,
  description: 'The place where the bytes live refused or could not be reached.',
  fields: (t) => ({ reason: t.expose('reason', { type: StorageFailureEnum, description: 'Why.' }) }),
});

const GoneReasonEnum = builder.enumType('ShareGoneReason', { description: 'Why a share does not open.', values: goneReasons });
builder.objectType(ShareGoneError, {
  name: 'ShareGoneError',
  interfaces,
  description: 'The share exists and does not open: no longer, or (`NOT_YET`) not yet.',
  fields: (t) => ({
    reason: t.expose('reason', { type: GoneReasonEnum, description: 'Why.' }),
    opensAt: t.expose('opensAt', { type: 'DateTime', nullable: true, description: 'When it will open; null unless NOT_YET.' }),
  }),
});
builder.objectType(PasswordRequiredError, {
  name: 'PasswordRequiredError',
  interfaces,
  description: 'The share needs its password, or the one given is wrong.',
});
builder.objectType(RateLimitedError, {
  name: 'RateLimitedError',
  interfaces,
  description: 'Too many attempts. Nothing was looked at.',
  fields: (t) => ({ retryAfter: t.exposeInt('retryAfter', { description: 'Seconds after which to try again.' }) }),
});
